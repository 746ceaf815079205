import { expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../../harness/temporary-folder.ts";

test("plain Node refuses the same archives for the same reasons", async () => {
  await using place = await temporaryFolder();
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, "hostile-on-node.ts")],
    target: "node",
    format: "esm",
    define: { "globalThis.Bun": "undefined" },
  });
  const script = join(place.path, "hostile-on-node.mjs");
  await Bun.write(script, built.outputs[0] ?? "");

  const node = Bun.spawn(["node", script, place.path], { stderr: "inherit" });
  const result = (await new Response(node.stdout).json()) as { cases: number };

  expect(result).toMatchObject({ node: expect.stringMatching(/^v\d/), bun: false, wrong: [] });
  expect(result.cases).toBeGreaterThan(200);
}, 180_000);
