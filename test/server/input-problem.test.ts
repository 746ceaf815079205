import { expect, test } from "bun:test";
import { createHarness } from "../harness/control-plane.ts";

const digest = "a".repeat(64);

test.each([
  ["GET", "/apps?limit=x", undefined, '"limit" is not valid: it must be a number.'],
  ["GET", "/apps?limit=0", undefined, '"limit" is not valid: it must be at least 1.'],
  ["GET", "/apps?limit=1001", undefined, '"limit" is not valid: it must be at most 1000.'],
  ["GET", "/apps?offset=", undefined, '"offset" is not valid: it must be a number.'],
  ["GET", "/apps?offset=0x10", undefined, '"offset" is not valid: it must be a number.'],
  ["GET", "/apps?limit=1.5", undefined, '"limit" is not valid: it must be a whole number.'],
  ["GET", "/audit?action=x", undefined, '"action" is not valid: it must be an action such as deployment.failed.'],
  [
    "GET",
    "/artifacts?digest_prefix=abc",
    undefined,
    '"digest_prefix" is not valid: it must be 6 to 64 characters of 0-9 and a-f.',
  ],
  ["POST", "/apps", {}, '"name" is missing: it must be text.'],
  ["POST", "/apps", { name: 5 }, '"name" is not valid: it must be text.'],
  ["POST", "/apps", [], "The request body is not valid: it must be an object."],
  ["PATCH", "/apps/shop", { max_artifact: 1 }, '"max_artifact" is not known here.'],
  ["PATCH", "/apps/shop", { retain_latest: 0 }, '"retain_latest" is not valid: it must be at least 1.'],
  [
    "POST",
    "/artifacts/presign",
    { app_name: "shop", digest, size_bytes: "1" },
    '"size_bytes" is not valid: it must be a number.',
  ],
  ["POST", "/tokens", { name: "ci", role: "boss" }, '"role" is not valid: it must be one of admin, deployer, reader.'],
  ["POST", "/tokens", { name: "", role: "reader" }, '"name" is not valid: it must have 1 to 100 printable characters.'],
  [
    "POST",
    "/tokens",
    { name: "ci", role: "reader", expires_at: "soon" },
    '"expires_at" is not valid: it must be an RFC 3339 time such as 2026-01-31T12:00:00Z.',
  ],
  [
    "POST",
    "/webhooks",
    { url: "https://x.example", secret: "short", events: ["*"] },
    '"secret" is not valid: it must have at least 16 characters.',
  ],
  [
    "POST",
    "/webhooks",
    { url: "https://x.example", secret: "long enough to be one", events: [] },
    '"events" is not valid: it must have at least 1 entry.',
  ],
  [
    "POST",
    "/deployments",
    { app_name: "shop", digest, config: { start: "node x", port: 0 } },
    '"config.port" is not valid: it must be at least 1.',
  ],
] as const)("%s %s with %p is told so in a sentence", async (method, path, body, message) => {
  await using aether = await createHarness();
  await aether.send("POST", "/apps", { name: "shop" });
  const answer = await aether.send(method, path, body);
  expect(answer).toMatchObject({ status: 400, body: { code: "bad_request", message } });
});
