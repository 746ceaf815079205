// Builds the parts that the binary embeds and no one commits: the agent as one JavaScript file for stock Node, and an
// initialised PGlite data folder. Rebuilt only when what they are made from changed.
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Glob } from "bun";

const root = join(import.meta.dir, "..");
const folder = join(root, "dist", "embedded");

await mkdir(folder, { recursive: true });
await prepare("agent.mjs", await hashOf("src/{agent,artifact,core,lib}/**/*.{ts,cjs}"), buildAgent);
await prepare("pglite.tar.gz", await hashOf("node_modules/@electric-sql/pglite/package.json"), dumpEmptyDatabase);

async function prepare(name: string, stamp: string, build: () => Promise<Uint8Array | string>): Promise<void> {
  const path = join(folder, name);
  const made = (await Bun.file(path).exists()) && (await Bun.file(`${path}.stamp`).exists());
  if (made && (await readFile(`${path}.stamp`, "utf8")) === stamp) return;
  await writeFile(`${path}.part`, await build());
  await rename(`${path}.part`, path);
  await writeFile(`${path}.stamp`, stamp);
}

async function hashOf(pattern: string): Promise<string> {
  const hash = createHash("sha256");
  const paths = [...new Glob(pattern).scanSync({ cwd: root, dot: true })].sort();
  for (const path of [...paths, "scripts/prepare-embedded.ts"])
    hash.update(path).update(await readFile(join(root, path)));
  return hash.digest("hex");
}

/** One file for Node 18 and newer: no Bun, nothing to install beside it. */
async function buildAgent(): Promise<string> {
  const result = await Bun.build({
    entrypoints: [join(root, "src/agent/main.ts")],
    target: "node",
    format: "esm",
    define: { "globalThis.Bun": "undefined" },
  });
  const [output] = result.outputs;
  if (!result.success || output === undefined) throw new AggregateError(result.logs, "The agent did not build.");
  return output.text();
}

/** What `initdb` leaves, dumped: a first start that unpacks it takes a tenth of one that runs `initdb`. */
async function dumpEmptyDatabase(): Promise<Uint8Array> {
  const { PGlite } = await import("@electric-sql/pglite");
  const database = await PGlite.create();
  const dump = await database.dumpDataDir("gzip");
  await database.close();
  return new Uint8Array(await dump.arrayBuffer());
}
