import { expect, test } from "bun:test";
import { join } from "node:path";
import type { V1SubjectAccessReview } from "@kubernetes/client-node";
import { askService } from "../harness/ask-service.ts";
import { runJson } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { longKubernetesTier } from "../harness/kubernetes.ts";
import { adminToken, createKubernetesServer, type KubernetesParts } from "../harness/kubernetes-server.ts";
import { answering, packageJson } from "../harness/project.ts";
import { waitFor } from "../harness/wait-for.ts";

const testOnKubernetes = test.skipIf(!longKubernetesTier().available);
const patient = { withinMs: 60_000, everyMs: 200 };

const project = (path: string, name: string, server: string) =>
  writeFiles(join(path, name), { "package.json": packageJson(name), "server.js": server, "aether.json": "{}" });

const livePods = async ({ cluster, namespace }: KubernetesParts, app: string) => {
  const { items } = await cluster.list({ kind: "Pod", namespace, labelSelector: `aether.dev/app=${app}` });
  return items.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
};

const urlOf = async ({ cluster, namespace }: KubernetesParts, name: string) => {
  const service = await cluster.get({ kind: "Service", namespace, name });
  return `http://127.0.0.1:${service?.spec?.ports?.[0]?.nodePort}`;
};

testOnKubernetes(
  "a pod that is made anew when every signed URL has expired fetches its release all the same (KUBE-9)",
  async () => {
    await using platform = await createKubernetesServer({ AETHER_PRESIGN_EXPIRE_SECONDS: "2" });
    const { user, client: env, cluster, namespace } = platform;
    const { json } = await runJson(user, ["deploy", await project(user.path, "shop", answering("v1"))], { env });
    const signed = await signedUrl(platform.server.api, json.digest);
    const [first] = await livePods(platform, "shop");
    const isExpired = async () => (await fetch(signed)).status === 403;
    await waitFor("what was signed to expire", isExpired, { withinMs: 10_000, everyMs: 200 });
    await cluster.remove({ kind: "Pod", namespace, name: first?.metadata?.name ?? "" });
    const anew = await waitFor("another pod that is ready", () => readyOther(platform, first?.metadata?.uid), patient);
    expect(anew.status?.initContainerStatuses?.[0]?.restartCount).toBe(0);
    const answer = async () => (await askService(await urlOf(platform, "shop"))).text();
    expect(await answer()).toBe("v1");
  },
  150_000,
);

async function signedUrl(api: string, digest: string): Promise<string> {
  const headers = { authorization: `Bearer ${adminToken}` };
  const answer = await fetch(`${api}/artifacts/${digest}/download?app=shop`, { headers, redirect: "manual" });
  expect(answer.status).toBe(307);
  return answer.headers.get("location") ?? "";
}

async function readyOther(platform: KubernetesParts, uid: string | undefined) {
  const others = (await livePods(platform, "shop")).filter(({ metadata }) => metadata?.uid !== uid);
  return others.find(({ status }) =>
    status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True"),
  );
}

testOnKubernetes(
  "a deployment into a namespace that is going fails and says so, and the server goes on (F10)",
  async () => {
    await using platform = await createKubernetesServer();
    const { user, client: env, cluster, namespace, server } = platform;
    const folder = await project(user.path, "shop", answering("v1"));
    const holder = { kind: "ConfigMap" as const, namespace, name: "holds-the-namespace" };
    const metadata = { name: holder.name, namespace, finalizers: ["aether.dev/test"] };
    await cluster.apply({ apiVersion: "v1", kind: "ConfigMap", metadata });
    await cluster.remove({ kind: "Namespace", name: namespace });
    try {
      const { code, json } = await runJson(user, ["deploy", folder], { env });
      expect(code).toBe(20);
      expect(json).toMatchObject({ status: "failed", failure_reason: "admission_denied" });
      expect(json.message).toContain("being terminated");
      expect((await fetch(`${server.api}/readyz`)).status).toBe(200);
    } finally {
      await cluster.patch(holder, { metadata: { finalizers: null } });
    }
  },
  150_000,
);

/** Tells whatever it can find and do from inside its container. */
const probing = `
const { createServer } = require("node:http");
const { request } = require("node:https");
const { existsSync, readdirSync, readFileSync, writeFileSync } = require("node:fs");
const attempt = (work) => { try { return work(); } catch (error) { return error.code; } };
const ask = (method, path) => new Promise((resolve) => {
  const host = process.env.KUBERNETES_SERVICE_HOST;
  const headers = { "content-type": "application/merge-patch+json" };
  const asked = request({ host, port: process.env.KUBERNETES_SERVICE_PORT, method, path, headers, rejectUnauthorized: false },
    (response) => { response.resume(); resolve(response.statusCode); });
  asked.on("error", (error) => resolve(error.code));
  asked.end(method === "PATCH" ? "{}" : undefined);
});
createServer(async (incoming, response) => {
  const ns = incoming.url.slice(1);
  response.end(JSON.stringify({
    mounts: readFileSync("/proc/self/mountinfo", "utf8").split("\\n").map((line) => line.split(" ")[4]),
    secrets: attempt(() => readdirSync("/var/run/secrets", { recursive: true })),
    token: attempt(() => readFileSync("/var/run/aether/token", "utf8")),
    environments: readdirSync("/proc").filter((pid) => /^\\d+$/.test(pid)).map((pid) => attempt(() => readFileSync("/proc/" + pid + "/environ", "latin1"))),
    root: attempt(() => writeFileSync("/etc/passwd", "")),
    user: process.getuid(),
    cluster: await Promise.all([
      ask("GET", "/api/v1/namespaces/" + ns + "/secrets"),
      ask("PATCH", "/apis/apps/v1/namespaces/" + ns + "/deployments/probe"),
      ask("GET", "/apis/apps/v1/namespaces/" + ns + "/deployments/probe"),
    ]),
  }));
}).listen(process.env.PORT);
`;

testOnKubernetes(
  "an application finds no token in its pod, and may do nothing in the cluster (T7)",
  async () => {
    await using platform = await createKubernetesServer();
    const { user, client: env, cluster, namespace } = platform;
    await runJson(user, ["deploy", await project(user.path, "probe", probing)], { env });
    const found = (await (await askService(`${await urlOf(platform, "probe")}/${namespace}`)).json()) as Record<
      string,
      unknown
    >;
    expect(found).toMatchObject({ secrets: "ENOENT", token: "ENOENT", root: "EROFS", user: 1000 });
    expect((found.mounts as string[]).filter((path) => /token|secret|serviceaccount|aether/.test(path ?? ""))).toEqual(
      [],
    );
    expect(found.environments).not.toEqual([]);
    expect(JSON.stringify(found.environments)).not.toMatch(/AETHER_|eyJ/);
    for (const status of found.cluster as number[]) expect([401, 403]).toContain(status);

    const [pod] = await livePods(platform, "probe");
    const account = `system:serviceaccount:${namespace}:${pod?.spec?.serviceAccountName}`;
    for (const [verb, group, resource] of [
      ["get", "", "secrets"],
      ["list", "", "secrets"],
      ["patch", "apps", "deployments"],
      ["get", "", "pods"],
      ["create", "authentication.k8s.io", "tokenreviews"],
    ] as const) {
      const review = await cluster.create<V1SubjectAccessReview>({
        apiVersion: "authorization.k8s.io/v1",
        kind: "SubjectAccessReview",
        spec: {
          user: account,
          groups: accountGroups(namespace),
          resourceAttributes: { verb, group, resource, namespace },
        },
      });
      expect([verb, resource, review.status?.allowed]).toEqual([verb, resource, false]);
    }
  },
  150_000,
);

const accountGroups = (namespace: string): string[] => [
  "system:serviceaccounts",
  `system:serviceaccounts:${namespace}`,
  "system:authenticated",
];
