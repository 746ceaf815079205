import { expect, test } from "bun:test";
import { createUser, runJson, startServe } from "../harness/binary.ts";

const admin = "an-admin-token-of-some-length-0123456789";

test("tokens are made, listed, rotated and revoked on the command line, and printed once", async () => {
  await using user = await createUser();
  await using server = await startServe(user, { env: { AETHER_API_TOKENS: `${admin}:admin:ada` } });
  const as = (token: string) => ({ env: { AETHER_API_BASE: server.api, AETHER_TOKEN: token } });

  const made = await user.run(["tokens", "create", "ci", "--role", "deployer", "--apps", "shop, blog"], as(admin));
  expect(made.code).toBe(0);
  const token = made.stdout.trim();
  expect(token).toMatch(/^aether_[0-9a-f]{72}$/);
  expect(made.stderr).toContain('"ci" (deployer of shop, blog)');
  expect(made.stderr).not.toContain(token);
  expect(await runJson(user, ["list"], as(token))).toMatchObject({ code: 0, json: { apps: [] } });

  const listed = await runJson(user, ["tokens", "list"], as(admin));
  expect(listed.json.tokens).toMatchObject([
    { name: "ci", role: "deployer", apps: ["shop", "blog"], created_by: "ada" },
  ]);
  expect(listed.stdout).not.toContain(token.slice(7));
  const { id } = listed.json.tokens[0];
  const table = await user.run(["tokens", "list"], as(admin));
  expect(table.stdout).toMatch(new RegExp(`^ID +NAME.*\n${id} +ci +deployer +shop,blog +active +never`));

  const rotated = await runJson(user, ["tokens", "rotate", id, "--overlap", "0s", "--expires-in", "90d"], as(admin));
  expect(rotated.json).toMatchObject({ name: "ci", previous: { id } });
  expect((await user.run(["list"], as(token))).code).toBe(10);
  expect((await user.run(["list"], as(rotated.json.token))).code).toBe(0);

  const revoked = await user.run(["tokens", "revoke", rotated.json.id], as(admin));
  expect(revoked.stderr).toContain("is revoked");
  const refused = await user.run(["list"], as(rotated.json.token));
  expect([refused.code, refused.stderr]).toEqual([10, expect.stringContaining("revoked")]);

  const forbidden = await runJson(user, ["tokens", "create", "x", "--role", "reader", "--expires-in", "1h"], as(admin));
  expect(await runJson(user, ["tokens", "list"], as(forbidden.json.token))).toMatchObject({
    code: 20,
    json: { code: "forbidden" },
  });
  await server.stop();
  const log = await server.log;
  for (const secret of [admin, token, rotated.json.token, forbidden.json.token])
    expect(log).not.toContain(secret.slice(7));
}, 180_000);

test.each([
  [["tokens", "create"], "NAME"],
  [["tokens", "create", "ci"], "role"],
  [["tokens", "create", "ci", "--role", "king"], "role"],
  [["tokens", "create", "ci", "--role", "reader", "--expires-in", "soon"], "--expires-in"],
  [["tokens", "rotate", "x", "--overlap", "1y"], "--overlap"],
  [["tokens", "sell"], "sell"],
])("%j is a mistake of the command line", async (argv, about) => {
  await using user = await createUser();
  const { code, stderr, stdout } = await user.run(argv);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain(about);
});
