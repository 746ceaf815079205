import { expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { $ } from "bun";
import { createUser, runJson } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { freePort } from "../harness/free-port.ts";
import { longKubernetesTier } from "../harness/kubernetes.ts";
import { adminToken, createKubernetesParts, serveKubernetes } from "../harness/kubernetes-server.ts";
import { answering, packageJson } from "../harness/project.ts";

test.skipIf(!longKubernetesTier().available)(
  "pods fetch from a server behind a certificate of an authority of one's own (AETHER_CA_FILE)",
  async () => {
    const tlsPort = freePort();
    await using parts = await createKubernetesParts();
    await using user = await createUser();
    const [key, cert] = [join(user.path, "tls.key"), join(user.path, "tls.pem")];
    await $`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=internal -addext ${`subjectAltName=IP:${parts.host}`} -keyout ${key} -out ${cert}`.quiet();
    await using _proxy = terminateTls(tlsPort, { target: parts.port, key, cert });
    // A private key that lies beside it must not reach a pod.
    const authorities = join(user.path, "authorities.pem");
    await writeFile(authorities, `# ours\n${await readFile(key, "utf8")}${await readFile(cert, "utf8")}`);
    const more = { AETHER_INTERNAL_URL: `https://${parts.host}:${tlsPort}`, AETHER_CA_FILE: authorities };
    await using server = await serveKubernetes(user, parts, more);

    const env = { AETHER_API_BASE: server.api, AETHER_TOKEN: adminToken };
    const files = { "package.json": packageJson("shop"), "server.js": answering("v1") };
    const folder = await writeFiles(join(user.path, "shop"), files);
    const { stderr, json } = await runJson(user, ["deploy", folder], { env });
    expect(stderr).not.toContain("[error]");
    expect(json).toMatchObject({ status: "running" });
    const { items } = await parts.cluster.list({
      kind: "ConfigMap",
      namespace: parts.namespace,
      labelSelector: "aether.dev/ca",
    });
    expect(items.map(({ data }) => data)).toEqual([{ "ca.pem": await readFile(cert, "utf8") }]);
  },
  180_000,
);

function terminateTls(port: number, { target, key, cert }: { target: number; key: string; cert: string }) {
  const server = Bun.serve({
    hostname: "0.0.0.0",
    port,
    tls: { key: Bun.file(key), cert: Bun.file(cert) },
    fetch: ({ url, method, headers, body }) => {
      const { pathname, search } = new URL(url);
      return fetch(`http://127.0.0.1:${target}${pathname}${search}`, { method, headers, body, redirect: "manual" });
    },
  });
  return { [Symbol.asyncDispose]: () => server.stop(true) };
}

test.each([
  ["no-such.pem", "cannot be read"],
  ["package.json", "holds no certificate"],
  ["broken.pem", "Certificate 1 of AETHER_CA_FILE"],
])("a file of authorities that is none, %s, is told before anything runs", async (name, why) => {
  await using user = await createUser();
  await writeFiles(user.path, {
    "package.json": "{}",
    "broken.pem": "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n",
    kubeconfig: "{}",
  });
  const { code, stderr } = await user.run(["serve", "--port", "0"], {
    env: {
      AETHER_RUNTIME: "kubernetes",
      AETHER_INTERNAL_URL: "https://10.0.0.1",
      AETHER_CA_FILE: join(user.path, name),
      KUBECONFIG: join(user.path, "kubeconfig"),
    },
  });
  expect([code, stderr]).toEqual([10, expect.stringContaining(why)]);
});
