import { expect, test } from "bun:test";
import { createUser, runJson } from "../harness/binary.ts";
import { heavyApp } from "../harness/heavy-app.ts";

test("--dry-run names the largest files, the largest first (PLUS-3)", async () => {
  await using user = await createUser();
  const folder = await heavyApp(user, 1);
  const { json, stderr } = await runJson(user, ["deploy", folder, "--dry-run"]);
  expect(json.largest[0]).toEqual({ path: "noise.bin", size_bytes: 1_000_000 });
  expect(json.largest.map(({ path }: { path: string }) => path).sort()).toEqual([
    "noise.bin",
    "package.json",
    "server.js",
  ]);
  expect(stderr).toContain("    1.0 MB  noise.bin");
});
