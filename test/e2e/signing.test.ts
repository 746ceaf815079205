import { expect, test } from "bun:test";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { createUser, runJson, startServe, type User } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { answering, packageJson } from "../harness/project.ts";
import { waitFor } from "../harness/wait-for.ts";

const demanding = { AETHER_REQUIRE_SIGNATURE: "1" };

async function shop(user: User, text = "v1") {
  return writeFiles(join(user.path, "shop"), { "package.json": packageJson("shop"), "server.js": answering(text) });
}

/** A key pair in a file, registered for the app. */
async function registeredKey(user: User, env: Record<string, string>, file: string) {
  const made = await runJson(user, ["keys", "generate", "--out", file]);
  const key = {
    publicKey: made.json.public_key_hex as string,
    env: { ...env, AETHER_SIGNING_KEY: made.json.private_key },
  };
  const added = await user.run(["keys", "add", "--app", "shop"], { env: key.env });
  expect(added).toMatchObject({ code: 0 });
  return key;
}

test("signed is deployed, unsigned and wrongly signed is refused, a revoked key no longer counts", async () => {
  await using user = await createUser();
  await using server = await startServe(user, { env: demanding });
  const env = { AETHER_API_BASE: server.api };
  const folder = await shop(user);
  expect((await user.run(["apps", "create", "shop"], { env })).code).toBe(0);
  const unsigned = await runJson(user, ["deploy", folder], { env });
  expect(unsigned).toMatchObject({ code: 20, json: { code: "signature_required", signature: null } });
  expect(unsigned.stderr).toContain("is not signed");
  expect(unsigned.stderr).toContain("Set AETHER_SIGNING_KEY");
  expect(unsigned.json).not.toHaveProperty("uploaded_bytes");
  const unknown = await runJson(user, ["keys", "generate", "--out", "unknown.pem"]);
  const unregistered = { ...env, AETHER_SIGNING_KEY: unknown.json.private_key };
  for (const app of ["shop", "nobodys"]) {
    const refused = await runJson(user, ["deploy", folder, "--app", app], { env: unregistered });
    expect(refused).toMatchObject({ code: 20, json: { code: "signature_invalid", digest: unsigned.json.digest } });
    expect(refused.stderr).toContain(`is not registered for the app "${app}"`);
    expect(refused.stderr).toContain(`aether keys add --app ${app}`);
  }
  const nothing = { artifacts: [] };
  expect((await runJson(user, ["artifacts", "list"], { env })).json).toEqual(nothing); // and no byte has moved
  expect((await runJson(user, ["apps", "list"], { env })).json.apps).toMatchObject([{ name: "shop" }]);

  const key = await registeredKey(user, env, "first.pem");
  expect((await stat(join(user.path, "first.pem"))).mode & 0o777).toBe(0o600);
  const again = await user.run(["keys", "generate", "--out", "first.pem"]);
  expect(again).toMatchObject({ code: 2, stdout: "" });
  const signed = await runJson(user, ["deploy", folder], { env: key.env });
  expect(signed).toMatchObject({ code: 0, json: { status: "running" } });
  expect(signed.json.signature).toEndWith(".sig");
  const signature = (await readFile(signed.json.signature, "utf8")).trim();
  const { json: shown } = await runJson(user, ["artifacts", "show", signed.json.digest.slice(0, 12)], { env });
  expect(shown).toMatchObject({ app: "shop", verified: true, signature, signed_by: key.publicKey });
  for (const what of ["shop", signed.json.digest, signed.json.digest.slice(0, 8), signed.json.artifact]) {
    const verified = await runJson(user, ["verify", what], { env });
    expect(verified).toMatchObject({ code: 0, json: { verified: true, public_key_hex: key.publicKey } });
  }
  expect(await (await server.ask("shop")).text()).toBe("v1");
  // The same bytes again need no key: what is stored is signed.
  expect(await runJson(user, ["deploy", folder], { env })).toMatchObject({ code: 0, json: { uploaded_bytes: 0 } });

  const stranger = await runJson(user, ["keys", "generate", "--out", "stranger.pem"]);
  await shop(user, "v2");
  const foreign = { ...env, AETHER_SIGNING_KEY: stranger.json.private_key };
  expect(await runJson(user, ["deploy", folder], { env: foreign })).toMatchObject({
    code: 20,
    json: { code: "signature_invalid" },
  });
  const secret = await readFile(join(user.path, "stranger.pem"), "utf8");
  const mistyped = await user.run(["deploy", folder], { env: { ...env, AETHER_SIGNING_KEY: secret.slice(0, -40) } });
  expect(mistyped.code).toBe(10);
  expect(mistyped.stderr).not.toContain(secret.split("\n")[1]?.slice(0, 20) ?? "");

  expect((await user.run(["keys", "revoke", key.publicKey, "--app", "shop"], { env })).code).toBe(0);
  expect((await user.run(["keys", "list", "--app", "shop"], { env })).stdout).toContain("revoked");
  await shop(user, "v1");
  const revoked = await runJson(user, ["deploy", folder], { env });
  expect(revoked).toMatchObject({ code: 20, json: { code: "signature_required" } });
  expect(revoked.stderr).toContain("has been revoked");
  const withRevoked = await runJson(user, ["deploy", folder], { env: key.env });
  expect(withRevoked).toMatchObject({ code: 20, json: { code: "signature_invalid" } });
  expect(withRevoked.stderr).toContain(`${key.publicKey}, has been revoked`);
  expect(await runJson(user, ["verify", "shop"], { env })).toMatchObject({
    code: 20,
    json: { code: "signature_invalid" },
  });
  expect(await (await server.ask("shop")).text()).toBe("v1"); // what runs, runs on

  await server.stop();
  await using restarted = await startServe(user, { env: demanding });
  const now = { AETHER_API_BASE: restarted.api };
  const why = { failure_reason: "signature_invalid", failure_message: expect.stringContaining("has been revoked") };
  await waitFor("the refused start to be told", async () => {
    const { json } = await runJson(user, ["status", "shop"], { env: now });
    return json.running.replicas[0]?.failure_reason === "signature_invalid";
  });
  const status = await runJson(user, ["status", "shop"], { env: now });
  expect(status.json.running.replicas).toMatchObject([{ version: 2, ...why }]);
  const text = (await user.run(["status", "shop"], { env: now })).stdout;
  expect(text).toContain("ought to run, and none of its replicas answers");
  expect(text).toMatch(/signature_invalid.*has been revoked/);
  expect((await user.run(["list"], { env: now })).stdout).toContain("does not answer: signature_invalid");
}, 120_000);

test("when the key is revoked, the next start of the app's agent is refused, and the waiting deploy says why", async () => {
  await using user = await createUser();
  const first = await startServe(user, { env: demanding });
  const env = { AETHER_API_BASE: first.api };
  await user.run(["apps", "create", "shop"], { env });
  const key = await registeredKey(user, env, "key.pem");
  // It never answers, so that the deployment is still pending when its key is revoked.
  const folder = await writeFiles(join(user.path, "shop"), {
    "package.json": packageJson("shop"),
    "server.js": "console.log('up'); setInterval(() => {}, 1000);",
  });
  const deploying = runJson(user, ["deploy", folder], { env: key.env });
  await waitFor(
    "the application to be started",
    async () => (await user.run(["logs", "shop"], { env })).stdout.includes("up"),
    { withinMs: 60_000, everyMs: 200 },
  );
  expect((await user.run(["keys", "revoke", key.publicKey, "--app", "shop"], { env })).code).toBe(0);
  await first.kill();
  await using _second = await startServe(user, { env: demanding, args: ["--port", String(first.port)] });
  const deployed = await deploying;
  expect(deployed).toMatchObject({
    code: 20,
    json: { code: "deployment_failed", failure_reason: "signature_invalid" },
  });
  expect(deployed.stderr).toContain(`${key.publicKey}, which has been revoked`);
}, 120_000);
