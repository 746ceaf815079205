import { expect, test } from "bun:test";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pluginCredentials } from "../../src/k8s/exec-plugin.ts";
import { openCluster } from "../../src/k8s/open-cluster.ts";
import { clusterTls, openByKubeconfig, refusal, serveApi } from "../harness/api-server.ts";
import { failureOf } from "../harness/failure-of.ts";
import { temporaryFolder } from "../harness/temporary-folder.ts";

/** A server that knows only the tokens in `accepted`. */
function serveTokens(accepted: string[]) {
  return serveApi((request) => {
    const token = request.headers.get("authorization")?.replace("Bearer ", "") ?? "";
    return accepted.includes(token) ? Response.json({ major: "1", minor: "34", gitVersion: "v1" }) : refusal(401);
  });
}

/** A credential plugin that prints what `answers` holds at each of its runs, the last one again and again. */
async function plugin(folder: string, answers: (Record<string, unknown> | string)[]) {
  const command = join(folder, "plugin");
  for (const [index, answer] of answers.entries()) {
    const text = typeof answer === "string" ? answer : JSON.stringify({ kind: "ExecCredential", status: answer });
    await writeFile(join(folder, `answer-${index + 1}`), text);
  }
  const script = `#!/bin/sh
cd "${folder}"; echo run >> runs; n=$(wc -l < runs); [ -f answer-$n ] || n=${answers.length}
echo "$1 $COLOUR in $KUBERNETES_EXEC_INFO" > seen
cat answer-$n`;
  await writeFile(command, script);
  await chmod(command, 0o755);
  return {
    exec: { apiVersion: "client.authentication.k8s.io/v1", command },
    runs: async () => (await readFile(join(folder, "runs"), "utf8")).split("\n").length - 1,
    seen: () => readFile(join(folder, "seen"), "utf8"),
  };
}

const path = { PATH: process.env.PATH ?? "" };

test("a token and a password are shown as the kubeconfig has them", async () => {
  await using server = serveApi(() => Response.json({ major: "1", minor: "34", gitVersion: "v1" }));
  await using token = await openByKubeconfig({ server: server.url }, { token: "secret" });
  await using basic = await openByKubeconfig({ server: server.url }, { username: "a", password: "b" });
  await token.cluster.version();
  await basic.cluster.version();
  expect(server.requests.map(({ headers }) => headers.get("authorization"))).toEqual(["Bearer secret", "Basic YTpi"]);
});

test("a token file that was renewed is read again when the old token is refused", async () => {
  await using folder = await temporaryFolder();
  const tokenFile = join(folder.path, "token");
  const accepted = ["old"];
  await using server = serveTokens(accepted);
  await writeFile(tokenFile, "old\n");
  await using opened = await openByKubeconfig({ server: server.url }, { tokenFile });
  await opened.cluster.version();

  await writeFile(tokenFile, "new\n");
  await opened.cluster.version();
  expect(server.requests.map(({ headers }) => headers.get("authorization"))).toEqual(["Bearer old", "Bearer old"]);
  accepted.splice(0, 1, "new");
  await opened.cluster.version();
  expect(server.requests.slice(2).map(({ headers }) => headers.get("authorization"))).toEqual([
    "Bearer old",
    "Bearer new",
  ]);

  accepted.length = 0;
  expect(await failureOf(opened.cluster.version())).toMatchObject({
    problem: "unauthorized",
    hint: expect.any(String),
  });
});

test("in a pod it is the service account: its authority, its namespace, and its token as it rotates", async () => {
  await using folder = await temporaryFolder();
  const accepted = ["first"];
  await using server = serveApi(
    (request) =>
      accepted.includes(request.headers.get("authorization")?.replace("Bearer ", "") ?? "")
        ? Response.json({ major: "1", minor: "34", gitVersion: "v1" })
        : refusal(401),
    { certificate: "server" },
  );
  await writeFile(join(folder.path, "ca.crt"), await readFile(clusterTls("authority.pem")));
  await writeFile(join(folder.path, "namespace"), "platform");
  await writeFile(join(folder.path, "token"), "first");
  const { hostname: host, port } = new URL(server.url);
  const location = { kubeconfigs: [], defaultKubeconfig: join(folder.path, "none") };
  const cluster = await openCluster({ ...location, inCluster: { host, port, folder: folder.path } });
  expect(cluster.namespace).toBe("platform");
  await cluster.version();

  accepted.splice(0, 1, "second");
  await writeFile(join(folder.path, "token"), "second");
  expect((await cluster.version()).minor).toBe(34);
});

test("a credential plugin runs once for many calls, with what the kubeconfig gives it", async () => {
  await using folder = await temporaryFolder();
  await using server = serveTokens(["given"]);
  const asked = await plugin(folder.path, [{ token: "given", expirationTimestamp: "2100-01-01T00:00:00Z" }]);
  const exec = { ...asked.exec, args: ["--first"], env: [{ name: "COLOUR", value: "red" }], provideClusterInfo: true };
  await using opened = await openByKubeconfig({ server: server.url }, { exec }, { pluginEnv: path });
  await Promise.all([opened.cluster.version(), opened.cluster.version(), opened.cluster.version()]);
  await opened.cluster.version();

  expect(await asked.runs()).toBe(1);
  const [flag, colour, , info = ""] = (await asked.seen())
    .trim()
    .split(/ (?!\s)/)
    .flatMap((part) => part.split(" "));
  expect([flag, colour]).toEqual(["--first", "red"]);
  expect(JSON.parse(info)).toMatchObject({ kind: "ExecCredential", spec: { cluster: { server: server.url } } });
});

test("what a plugin gave is renewed when it expires", async () => {
  await using folder = await temporaryFolder();
  await using server = serveTokens(["short", "long"]);
  const expired = await plugin(folder.path, [{ token: "short", expirationTimestamp: "2020-01-01T00:00:00Z" }]);
  await using brief = await openByKubeconfig({ server: server.url }, { exec: expired.exec }, { pluginEnv: path });
  await brief.cluster.version();
  await brief.cluster.version();
  expect(await expired.runs()).toBe(2);
});

test("what a plugin gave is renewed when it is refused, if it gives something else", async () => {
  await using folder = await temporaryFolder();
  const asked = await plugin(folder.path, [{ token: "first" }, { token: "second" }]);
  const credentials = pluginCredentials({ ...asked.exec, args: [], env: path }, 0);
  const first = await credentials.current();
  expect(await Promise.all([credentials.renew(first), credentials.renew(first)])).toEqual([true, true]);
  const second = await credentials.current();
  expect(second).toEqual({ authorization: "Bearer second" });
  expect(await asked.runs()).toBe(2);
  expect(await credentials.renew(second)).toBe(false);
});

test("a plugin is not run for each of many refusals", async () => {
  await using folder = await temporaryFolder();
  await using server = serveTokens([]);
  const refused = await plugin(folder.path, [{ token: "bad" }]);
  await using opened = await openByKubeconfig({ server: server.url }, { exec: refused.exec }, { pluginEnv: path });
  for (let calls = 0; calls < 5; calls += 1) {
    expect(await failureOf(opened.cluster.version())).toMatchObject({ problem: "unauthorized" });
  }
  expect(await refused.runs()).toBe(1); // it had only just run
});

test("a plugin may give a client certificate", async () => {
  await using folder = await temporaryFolder();
  await using server = serveApi(() => Response.json({ major: "1", minor: "34", gitVersion: "v1" }), {
    certificate: "server",
    demandsClient: true,
  });
  const [clientCertificateData, clientKeyData] = await Promise.all(
    ["client.pem", "client.key"].map((name) => readFile(clusterTls(name), "utf8")),
  );
  const { exec } = await plugin(folder.path, [{ clientCertificateData, clientKeyData }]);
  const cluster = { server: server.url, "certificate-authority": clusterTls("authority.pem") };
  await using opened = await openByKubeconfig(cluster, { exec }, { pluginEnv: path });
  expect((await opened.cluster.version()).minor).toBe(34);
});

test("a plugin that is missing, fails or says nothing of use is named, and what it printed is not", async () => {
  await using folder = await temporaryFolder();
  const base = { apiVersion: "client.authentication.k8s.io/v1" };
  const server = "http://127.0.0.1:1";
  const missing = { ...base, command: "no-such-plugin", installHint: "Get it from the shelf." };
  await using one = await openByKubeconfig({ server }, { exec: missing }, { pluginEnv: path });
  expect(await failureOf(one.cluster.version())).toMatchObject({
    problem: "plugin",
    message: expect.stringContaining("no-such-plugin, which is not here"),
    hint: "Get it from the shelf.",
  });

  const failing = { ...base, command: "sh", args: ["-c", "echo please log in >&2; exit 3"] };
  await using two = await openByKubeconfig({ server }, { exec: failing }, { pluginEnv: path });
  expect(await failureOf(two.cluster.version())).toMatchObject({
    problem: "plugin",
    message: expect.stringContaining("ended with 3: please log in"),
  });

  const { exec } = await plugin(folder.path, ["token=hunter2"]);
  await using three = await openByKubeconfig({ server }, { exec }, { pluginEnv: path });
  const useless = await failureOf(three.cluster.version());
  expect(useless).toMatchObject({ problem: "plugin", message: expect.stringContaining("not an ExecCredential") });
  expect(JSON.stringify([useless, String(useless.cause)])).not.toContain("hunter2");
});
