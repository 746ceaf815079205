import { expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { clusterLocation } from "../../src/config/cluster.ts";
import { readKubeconfig } from "../../src/k8s/kubeconfig.ts";
import { openCluster } from "../../src/k8s/open-cluster.ts";
import { failureOf } from "../harness/failure-of.ts";
import { temporaryFolder } from "../harness/temporary-folder.ts";

const first = `
apiVersion: v1
kind: Config
preferences: {}
current-context: here
clusters:
- name: here
  cluster: {server: "https://here.test:6443", certificate-authority: pki/ca.crt}
users:
- name: me
  user: {client-certificate: pki/me.crt, client-key: pki/me.key}
- name: nobody
  user:
contexts:
- name: here
  context: {cluster: here, user: me, namespace: apps}
- name: lost
  context: {cluster: gone, user: me}
- name: headless
  context: {cluster: here, user: gone}
- name: open
  context: {cluster: here, user: nobody}
`;
const second = `
current-context: there
clusters: [{name: here, cluster: {server: "https://other.test"}}, {name: there, cluster: {server: "https://there.test/k8s/"}}]
users: [{name: me, user: {token: other}}]
contexts: [{name: there, context: {cluster: there, user: me}}]
`;

async function written(...texts: string[]) {
  const folder = await temporaryFolder();
  const paths = await Promise.all(
    texts.map(async (text, index) => {
      await mkdir(join(folder.path, String(index)));
      const path = join(folder.path, String(index), "config");
      await writeFile(path, text);
      return path;
    }),
  );
  return { paths, folder: folder.path, [Symbol.asyncDispose]: folder[Symbol.asyncDispose] };
}

test("files are joined as kubectl does: what comes first holds, and paths are from their own file", async () => {
  await using files = await written(first, second);
  const { paths, folder } = files;
  const here = await readKubeconfig([join(folder, "not-there"), ...paths]);
  expect(here).toMatchObject({
    name: "here",
    namespace: "apps",
    cluster: { server: "https://here.test:6443", "certificate-authority": join(folder, "0/pki/ca.crt") },
    user: { "client-key": join(folder, "0/pki/me.key") },
  });
  const there = await readKubeconfig(paths, "there");
  expect(there.cluster.server).toBe("https://there.test/k8s/");
  expect(there.user).toEqual(here.user);
  expect((await openCluster({ kubeconfigs: paths, context: "there" })).server).toBe("https://there.test/k8s");
  expect((await readKubeconfig(paths, "open")).user.token).toBeUndefined();
});

test.each([
  ["no such context", [first], "nowhere", "has no context", "here, lost, headless, open"],
  ["no current context", [first.replace("current-context: here", "")], undefined, "no current context", "here"],
  ["a context of no cluster", [first], "lost", 'names cluster "gone"', "kubectl"],
  ["a context of no user", [first], "headless", 'names user "gone"', "kubectl"],
  ["what is no YAML", ["a: [secret"], undefined, "it is not YAML", "kubectl"],
  ["an address that is none", [first.replace("https://here.test:6443", "here")], undefined, "server", "kubectl"],
])("%s is said, with what to do", async (_what, texts, context, message, hint) => {
  await using files = await written(...texts);
  const { paths } = files;
  expect(await failureOf(readKubeconfig(paths, context))).toMatchObject({
    code: "config_invalid",
    problem: "config",
    message: expect.stringContaining(message),
    hint: expect.stringContaining(hint),
  });
});

test.each([
  ["an old auth provider", "{auth-provider: {name: gcp}}", 'the auth provider "gcp"'],
  ["impersonation", "{token: a, as: root}", "impersonation"],
])("%s is refused by name, never ignored", async (_what, user, message) => {
  await using files = await written(first.replace(/{client-certificate.*}/, user));
  const { paths } = files;
  expect(await failureOf(openCluster({ kubeconfigs: paths }))).toMatchObject({
    problem: "config",
    message: expect.stringContaining(message),
  });
});

test("no kubeconfig at all is said, with where it was looked for", async () => {
  await using folder = await temporaryFolder();
  const location = clusterLocation({ HOME: folder.path });
  expect(await failureOf(openCluster(location))).toMatchObject({
    problem: "config",
    message: expect.stringContaining(join(folder.path, ".kube/config")),
    hint: expect.stringContaining("KUBECONFIG"),
  });
  const named = clusterLocation({ HOME: folder.path, KUBECONFIG: `${folder.path}/a:${folder.path}/b` });
  expect(await failureOf(openCluster(named))).toMatchObject({ message: expect.stringContaining(`${folder.path}/b`) });
});

test("a certificate file that is not there is named", async () => {
  await using files = await written(first);
  const { paths, folder } = files;
  const cluster = await openCluster({ kubeconfigs: paths });
  expect(await failureOf(cluster.version())).toMatchObject({
    problem: "config",
    message: expect.stringContaining(join(folder, "0/pki/me.crt")),
  });
});

test("a plugin's environment has nothing of ours", () => {
  const { pluginEnv } = clusterLocation({ PATH: "/bin", AETHER_SECRETS_KEY: "k", DATABASE_URL: "u", HOME: "/home/a" });
  expect(pluginEnv).toEqual({ PATH: "/bin", HOME: "/home/a" });
});
