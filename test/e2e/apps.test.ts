import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createUser, runJson, startServe, type User } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { answering, packageJson } from "../harness/project.ts";
import { waitFor } from "../harness/wait-for.ts";

async function shop(user: User, server = answering("v1")) {
  return writeFiles(join(user.path, "shop"), { "package.json": packageJson("shop"), "server.js": server });
}

test("apps are listed, limited and deleted; nobody is asked without a terminal", async () => {
  await using user = await createUser();
  await using server = await startServe(user);
  const env = { AETHER_API_BASE: server.api };
  const folder = await shop(user);
  expect((await runJson(user, ["deploy", folder], { env })).code).toBe(0);
  const set = await runJson(user, ["apps", "set", "shop", "--max-artifacts", "7"], { env });
  expect(set.json).toMatchObject({ name: "shop", max_artifacts: 7, retain_latest: null });
  expect((await user.run(["apps", "set", "shop", "--max-artifacts", "many"], { env })).code).toBe(2);
  expect((await user.run(["apps", "set", "shop"], { env })).code).toBe(2);
  await user.run(["apps", "set", "shop", "--max-artifacts", "none"], { env });
  expect((await runJson(user, ["apps", "show", "shop"], { env })).json).toMatchObject({ max_artifacts: null });
  expect((await runJson(user, ["apps", "list"], { env })).json).toMatchObject({ apps: [{ name: "shop" }] });
  expect((await runJson(user, ["artifacts", "list", "--app", "shop"], { env })).json.artifacts).toHaveLength(1);
  expect(await user.run(["apps", "delete", "shop"], { env })).toMatchObject({ code: 2 });
  expect((await server.ask("shop")).status).toBe(200);
  expect(await runJson(user, ["apps", "delete", "shop", "--yes"], { env })).toMatchObject({
    code: 0,
    json: { deleted: true },
  });
  expect((await server.ask("shop")).status).toBe(404);
  expect((await user.run(["apps", "delete", "shop", "--yes"], { env })).code).toBe(20);
  await writeFile(join(folder, "server.js"), answering("again"));
  expect((await runJson(user, ["deploy", folder], { env })).json).toMatchObject({ version: 1, status: "running" });
  expect(await (await server.ask("shop")).text()).toBe("again");
}, 120_000);

test("a server that is killed while it deletes an app finishes that after its restart", async () => {
  await using user = await createUser();
  const first = await startServe(user);
  const stubborn = `process.on("SIGTERM", () => {});\n${answering("stubborn")}`;
  const folder = await shop(user, stubborn);
  const env = { AETHER_API_BASE: first.api };
  expect((await runJson(user, ["deploy", folder], { env })).code).toBe(0);
  const deleting = fetch(`${first.api}/apps/shop`, { method: "DELETE" }).then(
    () => "answered",
    () => "cut off",
  );
  const presign = (api: string) =>
    fetch(`${api}/artifacts/presign`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ app_name: "shop", digest: "0".repeat(64), size_bytes: 1 }),
    });
  await waitFor("the removal to begin", async () => (await presign(first.api)).status === 409);
  await first.kill();
  expect(await deleting).toBe("cut off");
  await using second = await startServe(user);
  await waitFor("the app to be gone", async () => (await fetch(`${second.api}/apps/shop`)).status === 404, {
    withinMs: 30_000,
  });
  expect((await second.ask("shop")).status).toBe(404);
  expect((await presign(second.api)).status).toBe(200);
}, 120_000);
