import { expect, test } from "bun:test";
import { type HarnessOptions, someBytes } from "../harness/control-plane.ts";
import { identifyPod, podToken, reportOf, unknowableToken } from "../harness/pod-tokens.ts";
import { adminToken, bearer, createGuardedHarness } from "../harness/tokens.ts";

const admin = bearer(adminToken);
const pod = bearer(podToken("shop"));

const start = (more: HarnessOptions = {}) => createGuardedHarness({ http: { identifyPod }, ...more });

test("a pod downloads what its app has stored, from where pods reach the storage", async () => {
  await using aether = await start({ reachableAt: "127.0.0.2" });
  const bytes = someBytes("100");
  const { digest } = await aether.store("shop", bytes, admin);
  for (const path of [`/artifacts/${digest}/download?app=shop`, `/artifacts/${digest}/download`]) {
    const answer = await aether.send("GET", path, undefined, pod);
    expect(answer.status).toBe(307);
    expect(new URL(answer.headers.get("location") ?? "").hostname).toBe("127.0.0.2");
  }
  const answer = await aether.send("GET", `/artifacts/${digest}/download`, undefined, pod);
  expect(await (await fetch(answer.headers.get("location") ?? "")).bytes()).toEqual(bytes);
  const { headers } = await aether.send("GET", `/artifacts/${digest}/download`, undefined, admin);
  expect(new URL(headers.get("location") ?? "").hostname).toBe("127.0.0.1");
});

test("what its app has not stored is 403, whether another app has it, or it is only begun, or nobody knows it", async () => {
  await using aether = await start();
  const { digest: foreign } = await aether.store("other", someBytes("101"), admin);
  const begun = "ab".repeat(32);
  const request = { app_name: "shop", digest: begun, size_bytes: 5 };
  expect((await aether.send("POST", "/artifacts/presign", request, admin)).status).toBe(200);
  for (const digest of [foreign, begun, "cd".repeat(32)]) {
    for (const query of ["", "?app=shop", "?app=other"]) {
      const { status, body } = await aether.send("GET", `/artifacts/${digest}/download${query}`, undefined, pod);
      expect([status, body.code]).toEqual([403, "forbidden"]);
    }
  }
});

test("where signatures are demanded, an unsigned artifact is 403 signature_required", async () => {
  await using aether = await start({ settings: { requireSignature: true } });
  const { digest } = await aether.store("shop", someBytes("102"), admin);
  const { status, body } = await aether.send("GET", `/artifacts/${digest}/download`, undefined, pod);
  expect([status, body.code]).toEqual([403, "signature_required"]);
});

test("whose a token is that nobody can say now is 503, and one that is nobody's 401", async () => {
  await using aether = await start();
  const { digest } = await aether.store("shop", someBytes("103"), admin);
  const ask = async (token: string) => {
    const { status, body } = await aether.send("GET", `/artifacts/${digest}/download`, undefined, bearer(token));
    return [status, body.code];
  };
  expect(await ask(unknowableToken)).toEqual([503, "service_unavailable"]);
  expect(await ask("token-of-nobody")).toEqual([401, "unauthorized"]);
});

test("a server without pods takes no pod's token", async () => {
  await using aether = await createGuardedHarness();
  const { digest } = await aether.store("shop", someBytes("104"), admin);
  expect((await aether.send("GET", `/artifacts/${digest}/download`, undefined, pod)).status).toBe(401);
});

test("a pod reports what became of a digest, of itself and of no other, and it is counted", async () => {
  await using aether = await start();
  const { reports } = aether.runtime;
  const report = (body: object) => aether.send("POST", "/agent/reports", body, pod);
  const failed = reportOf("shop", {
    outcome: "fail",
    reason: "health",
    message: "It answers 500.",
    log: ["boom"],
    at: "2026-01-01T00:00:01.000Z",
  });
  for (let time = 0; time < 2; time += 1) expect((await report(reportOf("shop"))).status).toBe(204); // its answer was lost
  expect((await report(failed)).status).toBe(204);
  expect(reports).toEqual([reportOf("shop"), failed]);
  expect((await report(reportOf("other"))).status).toBe(403);
  expect((await report(reportOf("shop", { pod: "shop-another" }))).status).toBe(403);
  expect((await report({ ...failed, reason: "weather" })).status).toBe(400);
  expect(reports).toHaveLength(2);
  const text = await (await fetch(`${aether.api}/metrics`, { headers: admin })).text();
  expect(text).toContain("dev_hot_refresh_total 1\n");
  expect(text).toContain('dev_hot_refresh_failure_total{reason="health"} 1\n');
});
