import { expect, test } from "bun:test";
import { createUser, runJson, startServe } from "../harness/binary.ts";
import { startReceiver } from "../harness/receiver.ts";
import { waitFor } from "../harness/wait-for.ts";

test("aether audit and aether webhooks tell and steer what happens", async () => {
  await using user = await createUser();
  await using server = await startServe(user);
  await using receiver = startReceiver();
  const at = ["--server", server.api];
  const created = await runJson(user, ["webhooks", "create", receiver.url, "--events", "app.*", ...at]);
  expect(created).toMatchObject({ code: 0, json: { url: receiver.url, events: ["app.*"], app: null } });
  expect(created.json.secret).toMatch(/^[0-9a-f]{64}$/);
  const headers = { "content-type": "application/json" };
  await fetch(`${server.api}/apps`, { method: "POST", headers, body: '{"name":"shop"}' });
  await waitFor("it is told", () => receiver.received.length === 1);

  const given = { stdin: "a secret of my own, long enough\n" };
  const own = await user.run(["webhooks", "create", receiver.url, "--secret-stdin", "--app", "shop", ...at], given);
  expect(own).toMatchObject({ code: 0, stdout: "" });
  const listed = await runJson(user, ["webhooks", "list", ...at]);
  expect(listed.json.webhooks.map(({ app }: { app: string }) => app)).toEqual([null, "shop"]);
  expect(listed.stdout).not.toContain(created.json.secret);
  expect((await user.run(["webhooks", "list", ...at])).stdout).toMatch(/STATE.*\n.*\bactive\b/);
  expect((await user.run(["webhooks", "remove", created.json.id, ...at])).code).toBe(0);
  expect((await runJson(user, ["webhooks", "list", ...at])).json.webhooks).toHaveLength(1);
  expect(await runJson(user, ["webhooks", "remove", created.json.id, ...at])).toMatchObject({
    code: 20,
    json: { code: "not_found" },
  });

  const audit = await runJson(user, ["audit", "--app", "shop", "--since", "1h", ...at]);
  const by = { app: "shop", actor: "anonymous" };
  expect(audit.json).toMatchObject({
    audit: [
      { action: "webhook.created", ...by },
      { action: "app.created", ...by },
    ],
  });
  const text = await user.run(["audit", ...at]);
  expect(text.stdout).toContain("app.created");
  expect((await user.run(["audit", "--action", "app.deleted", ...at])).stdout).toBe("");
}, 180_000);

test.each([
  [["audit", "--since", "yesterday"], 2, "neither a duration nor a time"],
  [["audit", "--limit", "all"], 2, "a whole number from 1 to 1000"],
  [["webhooks"], 2, "list"],
  [["webhooks", "create"], 2, "url"],
  [["webhooks", "create", "https://x.example/", "--secret-stdin"], 2, "no secret of 16"],
])("aether %p ends with %d and says what to do", async (args, exit, message) => {
  await using user = await createUser();
  const { code, stderr } = await user.run([...args, "--server", "http://127.0.0.1:1"]);
  expect([code, stderr.toLowerCase()]).toEqual([exit, expect.stringContaining(message)]);
});
