import { expect, test } from "bun:test";
import { clusterTls, openByKubeconfig, refusal, serveApi } from "../harness/api-server.ts";
import { createConnectProxy } from "../harness/connect-proxy.ts";
import { failureOf } from "../harness/failure-of.ts";
import { freePort } from "../harness/free-port.ts";

const version = () => Response.json({ major: "1", minor: "30+", gitVersion: "v1.30.1-test" });
const ours = { "certificate-authority": clusterTls("authority.pem") };
const client = { "client-certificate": clusterTls("client.pem"), "client-key": clusterTls("client.key") };
const ref = { kind: "ConfigMap", namespace: "apps", name: "one" } as const;

test("a server that demands our certificate gets it", async () => {
  await using server = serveApi(version, { certificate: "server", demandsClient: true });
  await using known = await openByKubeconfig({ server: server.url, ...ours }, client);
  expect(await known.cluster.version()).toEqual({ major: 1, minor: 30, text: "v1.30.1-test" });

  await using unknown = await openByKubeconfig({ server: server.url, ...ours });
  expect(await failureOf(unknown.cluster.version())).toMatchObject({ problem: "unreachable", code: "unreachable" });
  expect(server.requests).toHaveLength(1);
});

test("certificates given as data are as good as files", async () => {
  await using server = serveApi(version, { certificate: "server", demandsClient: true });
  const data = async (name: string) => Buffer.from(await Bun.file(clusterTls(name)).bytes()).toString("base64");
  await using known = await openByKubeconfig(
    { server: server.url, "certificate-authority-data": await data("authority.pem") },
    { "client-certificate-data": await data("client.pem"), "client-key-data": await data("client.key") },
  );
  expect((await known.cluster.version()).minor).toBe(30);
});

test.each([
  [
    "of another authority",
    "server",
    { "certificate-authority": clusterTls("stranger.pem") },
    "nobody we trust has signed it",
  ],
  ["of an authority the machine does not know", "server", {}, "nobody we trust has signed it"],
  ["that has expired", "expired", ours, "it has expired"],
  ["for other names", "server", { ...ours, "tls-server-name": "elsewhere.test" }, "it is for other names"],
] as const)("a certificate %s is refused by name", async (_what, certificate, cluster, why) => {
  await using server = serveApi(version, { certificate });
  await using opened = await openByKubeconfig({ server: server.url, ...cluster });
  expect(await failureOf(opened.cluster.version())).toMatchObject({
    problem: "untrusted",
    message: expect.stringContaining(why),
    hint: expect.any(String),
  });
  expect(server.requests).toEqual([]);
});

test("the certificate may be for the name that the kubeconfig gives, or go unchecked when it says so", async () => {
  await using server = serveApi(version, { certificate: "server" });
  await using named = await openByKubeconfig({
    server: server.url,
    ...ours,
    "tls-server-name": "kubernetes.default.svc",
  });
  expect((await named.cluster.version()).major).toBe(1);
  await using unchecked = await openByKubeconfig({ server: server.url, "insecure-skip-tls-verify": true });
  expect((await unchecked.cluster.version()).major).toBe(1);
});

test("a proxy that the kubeconfig names is gone through, with our certificate to the far end", async () => {
  await using server = serveApi(version, { certificate: "server", demandsClient: true });
  await using proxy = await createConnectProxy();
  await using opened = await openByKubeconfig({ server: server.url, ...ours, "proxy-url": proxy.url }, client);
  expect((await opened.cluster.version()).minor).toBe(30);
  expect(proxy.asked).toEqual([new URL(server.url).host]);

  const socks = { server: server.url, "proxy-url": "socks5://127.0.0.1:1080" };
  expect(await failureOf(openByKubeconfig(socks))).toMatchObject({ problem: "config", hint: expect.any(String) });
});

test("a server that is not there is told from one that says nothing", async () => {
  await using refused = await openByKubeconfig(
    { server: `http://127.0.0.1:${await freePort()}` },
    {},
    { firstDelayMs: 1 },
  );
  expect(await failureOf(refused.cluster.version())).toMatchObject({
    problem: "unreachable",
    message: expect.stringContaining("nothing listens there"),
  });
  await using nowhere = await openByKubeconfig({ server: "https://no-such-host.invalid" }, {}, { firstDelayMs: 1 });
  expect(await failureOf(nowhere.cluster.version())).toMatchObject({
    problem: "unreachable",
    message: expect.stringContaining("there is no such host"),
  });
  await using server = serveApi(() => new Promise(() => {}));
  await using silent = await openByKubeconfig({ server: server.url }, {}, { timeoutMs: 100 });
  expect(await failureOf(silent.cluster.version())).toMatchObject({ problem: "timeout" });
});

test("a call that its caller gives up ends with the caller's reason", async () => {
  await using server = serveApi(() => new Promise(() => {}));
  await using opened = await openByKubeconfig({ server: server.url });
  const enough = new Error("enough");
  const end = new AbortController();
  const asked = opened.cluster.get(ref, end.signal);
  end.abort(enough);
  expect(await asked.catch((error) => error)).toBe(enough);
});

test("what may be repeated is, while the server is ill; what may not is not", async () => {
  const ill = [refusal(503), refusal(500), refusal(500)];
  await using server = serveApi(() => ill.shift() ?? Response.json({ kind: "ConfigMap" }));
  await using opened = await openByKubeconfig({ server: server.url }, {}, { firstDelayMs: 1 });
  expect(await opened.cluster.get(ref)).toMatchObject({ kind: "ConfigMap" });
  expect(server.requests).toHaveLength(4);

  ill.push(refusal(503));
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one", namespace: "apps" } };
  expect(await failureOf(opened.cluster.create(object))).toMatchObject({ problem: "failed", httpStatus: 503 });
  expect(server.requests).toHaveLength(5);

  ill.push(...Array.from({ length: 9 }, () => refusal(503)));
  expect(await failureOf(opened.cluster.apply(object))).toMatchObject({ problem: "failed" });
  expect(server.requests).toHaveLength(9);
});

test("a server that limits us is left alone for as long as it asks", async () => {
  const limits = [refusal(429, {}, { "retry-after": "1" })];
  await using server = serveApi(() => limits.shift() ?? Response.json({ kind: "ConfigMap" }));
  await using opened = await openByKubeconfig({ server: server.url }, {}, { firstDelayMs: 1 });
  await opened.cluster.create({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one", namespace: "apps" } });
  const [first, second] = server.requests;
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1_000);

  limits.push(refusal(429, {}, { "retry-after": "60" }));
  expect(await failureOf(opened.cluster.get(ref))).toMatchObject({ problem: "overloaded", retryAfterMs: 60_000 });
});

test("a redirect is not followed: it would carry our credentials elsewhere", async () => {
  await using elsewhere = serveApi(version);
  await using server = serveApi(() => Response.redirect(elsewhere.url));
  await using opened = await openByKubeconfig({ server: server.url }, { token: "secret" }, { firstDelayMs: 1 });
  expect(await failureOf(opened.cluster.version())).toMatchObject({ problem: "unreachable" });
  expect(elsewhere.requests).toEqual([]);
});

test("what is no API server is called so", async () => {
  await using server = serveApi(() => new Response("<html>Welcome</html>"));
  await using opened = await openByKubeconfig({ server: server.url });
  expect(await failureOf(opened.cluster.version())).toMatchObject({
    message: expect.stringContaining("no Kubernetes API server"),
  });
});

test.each([
  [401, { reason: "Unauthorized", message: "Unauthorized" }, "unauthorized"],
  [
    403,
    { message: 'pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "a"' },
    "forbidden",
  ],
  [
    403,
    { message: 'pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0' },
    "denied",
  ],
  [403, { message: 'pods "a" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true' }, "denied"],
  [400, { message: 'admission webhook "policy.test" denied the request: no' }, "denied"],
  [409, { reason: "AlreadyExists" }, "already_exists"],
  [409, { reason: "Conflict" }, "conflict"],
  [410, { reason: "Expired" }, "expired"],
  [504, { reason: "Timeout", details: { causes: [{ reason: "ResourceVersionTooLarge" }] } }, "expired"],
  [422, { reason: "Invalid" }, "invalid"],
])("%d %j is the problem %s", async (status, body, problem) => {
  await using server = serveApi(() => refusal(status, body));
  await using opened = await openByKubeconfig({ server: server.url }, {}, { firstDelayMs: 1 });
  expect(await failureOf(opened.cluster.list({ kind: "Pod", namespace: "a" }))).toMatchObject({ problem });
});
