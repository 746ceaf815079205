import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeMember } from "../../../src/artifact/pack/member-cache.ts";
import { packFolder } from "../../../src/artifact/pack/pack.ts";
import { sampleTree } from "../../harness/sample-tree.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";
import { writeTree } from "../../harness/tree.ts";
import { waitFor } from "../../harness/wait-for.ts";

const kills = process.env.AETHER_TEST_FULL === "1" ? 40 : 10;

/** Packs for ever, each time after another change, so that the cache is always being written. */
const looping = `
  import { writeFileSync } from "node:fs";
  import { decodeMember } from "../../../src/artifact/pack/member-cache.ts";
import { packFolder } from ${JSON.stringify(join(import.meta.dir, "../../../src/artifact/pack/pack.ts"))};
  const [app, cacheFolder, outFolder] = process.argv.slice(1);
  for (let round = 0; ; round += 1) {
    writeFileSync(app + "/node_modules/package-" + (round % 60) + "/0.js", process.pid + " " + round);
    await packFolder({ appFolder: app, dependenciesFolder: app, appConfig: { start: "node server.js" }, outFolder, cacheFolder });
  }
`;

test("a packer killed at any moment leaves a cache that is whole, and no litter that lasts", async () => {
  await using folder = await temporaryFolder();
  const [app, cache, out] = [join(folder.path, "app"), join(folder.path, "cache"), join(folder.path, "out")];
  writeTree(app, sampleTree());
  for (let kill = 0; kill < kills; kill += 1) {
    const child = Bun.spawn([process.execPath, "-e", looping, app, cache, out], { stdout: "ignore", stderr: "pipe" });
    if (kill === 0)
      await waitFor("the first pack to reach the cache", () => existsSync(cache) && readdirSync(cache).length > 0);
    // the seed is the number of the kill: 0 to 0.5 s after the start, before, in and after its first pack
    await Bun.sleep(((kill * 7919) % 100) * 5);
    child.kill("SIGKILL");
    await child.exited;
    expect(await new Response(child.stderr).text()).toBe("");
  }
  for (const name of readdirSync(cache).filter((name) => name.endsWith(".gz"))) {
    expect(decodeMember(readFileSync(join(cache, name)))).toBeDefined();
  }
  const options = { appFolder: app, dependenciesFolder: app, appConfig: { start: "node server.js" }, outFolder: out };
  const warnings: string[] = [];
  const { digest } = await packFolder({
    ...options,
    cacheFolder: cache,
    warn: (message) => void warnings.push(message),
  });
  expect(digest).toBe((await packFolder(options)).digest);
  expect(warnings).toEqual([]);
  for (const place of [cache, out]) expect(readdirSync(place).filter((name) => name.startsWith(".tmp-"))).toEqual([]);
}, 180_000);
