import { expect, test } from "bun:test";
import { adminToken, createGuardedHarness } from "../harness/tokens.ts";

test("who made which token is in the audit for admins, and for no other token of all apps", async () => {
  await using aether = await createGuardedHarness();
  const { token } = await aether.makeToken({ role: "deployer" });
  expect((await aether.as(token, "POST", "/apps", { name: "shop" })).status).toBe(201);
  const actionsSeenBy = async (asker: string): Promise<string[]> =>
    (await aether.as(asker, "GET", "/audit")).body.map(({ action }: { action: string }) => action);
  expect(await actionsSeenBy(adminToken)).toEqual(["app.created", "token.created"]);
  expect(await actionsSeenBy(token)).toEqual(["app.created"]);
});

test("a webhook for all apps is made by admins, one for an app by its deployers", async () => {
  await using aether = await createGuardedHarness();
  const { token } = await aether.makeToken({ role: "deployer" });
  await aether.as(token, "POST", "/apps", { name: "shop" });
  const webhook = { url: "https://receiver.example/", secret: "0123456789abcdef", events: ["*"] };
  const makeAs = async (asker: string, body: object) => (await aether.as(asker, "POST", "/webhooks", body)).status;
  expect(await makeAs(token, webhook)).toBe(403);
  expect(await makeAs(token, { ...webhook, app: "shop" })).toBe(201);
  expect(await makeAs(adminToken, webhook)).toBe(201);
});
