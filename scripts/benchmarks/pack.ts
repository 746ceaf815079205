// Packing against `tar | gzip -6`, on the application that ../shared/testbed/bench-app makes (or AETHER_BENCH_APP names).
// Alone: bun scripts/benchmarks/pack.ts [--json]
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";
import { ensureBenchApp } from "./testbed.ts";

interface Packed {
  ms: number;
  cpuMs: number;
  sizeBytes: number;
  digest: string;
  files: number;
  members: { total: number; reused: number };
  peakMegabytes: number;
}

const rounds = 5;

/**
 * First pack, second pack after a changed line, and 40,000 files, each in a process of its own. Of each the best of all
 * rounds counts, since other work on the machine only adds; the ratio of processor times hardly notices it.
 */
export async function benchPack(): Promise<Record<string, number | string>> {
  const app = await ensureBenchApp();
  const work = await mkdtemp(join(tmpdir(), "aether-bench-"));
  try {
    const results: Awaited<ReturnType<typeof oneRound>>[] = [];
    for (let round = 0; round < rounds; round += 1) results.push(await oneRound(app, join(work, String(round))));
    const many = await packManyFiles(join(work, "many"));
    const best = (pick: (result: Awaited<ReturnType<typeof oneRound>>) => number) => Math.min(...results.map(pick));
    const gzipMs = best(({ gzip }) => gzip.ms);
    const firstMs = best(({ first }) => first.ms);
    const secondMs = best(({ second }) => second.ms);
    return {
      files: results[0]?.first.files ?? 0,
      "tar | gzip -6, ms": Math.round(gzipMs),
      "first pack, ms": Math.round(firstMs),
      "tar | gzip -6 / first pack (goal 5)": round2(gzipMs / firstMs),
      "the same in processor time": round2(best(({ gzip }) => gzip.cpuMs) / best(({ first }) => first.cpuMs)),
      "size / size of gzip -6 (goal 1.05)": round3(best(({ gzip, first }) => first.sizeBytes / gzip.sizeBytes)),
      "second pack after one line, ms": Math.round(secondMs),
      "second pack / first pack (goal 0.15)": round3(secondMs / firstMs),
      "members compressed again": best(({ second }) => second.members.total - second.members.reused),
      "peak memory of the first, MB": best(({ first }) => first.peakMegabytes),
      "peak memory of the second, MB": best(({ second }) => second.peakMegabytes),
      "40,000 files, ms (goal 15000)": Math.round(many.ms),
      "40,000 files, peak MB (goal 400)": many.peakMegabytes,
      "load of the machine": round2(loadavg()[0] ?? 0),
    };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function oneRound(app: string, work: string) {
  const server = join(app, "server.js");
  const code = await readFile(server, "utf8");
  await mkdir(work);
  try {
    await $`tar -C ${app} -cf /dev/null .`.quiet(); // both read from memory
    const gzip = tarGzip(app);
    const first = await pack(app, work);
    await writeFile(server, `${code}// one line more\n`);
    const second = await pack(app, work);
    if (second.digest === first.digest) throw new Error("The changed line did not reach the artifact.");
    return { gzip, first, second };
  } finally {
    await writeFile(server, code);
    await rm(work, { recursive: true, force: true });
  }
}

function tarGzip(app: string): { ms: number; cpuMs: number; sizeBytes: number } {
  const since = performance.now();
  const ran = Bun.spawnSync(["bash", "-c", 'tar -C "$0" -cf - . | gzip -6 | wc -c', app]);
  const ms = performance.now() - since;
  return { ms, cpuMs: Number(ran.resourceUsage.cpuTime.total) / 1000, sizeBytes: Number(ran.stdout.toString()) };
}

async function pack(folder: string, work: string): Promise<Packed> {
  const script = join(import.meta.dir, "pack-once.ts");
  const { stdout } =
    await $`${process.execPath} ${script} ${folder} ${join(work, "out")} ${join(work, "cache")}`.quiet();
  return JSON.parse(stdout.toString());
}

async function packManyFiles(work: string): Promise<Packed> {
  const app = join(work, "app");
  for (let folder = 0; folder < 400; folder += 1) {
    const at = join(app, "node_modules", `package-${folder}`, "lib");
    await mkdir(at, { recursive: true });
    for (let file = 0; file < 100; file += 1)
      await writeFile(join(at, `${file}.js`), `// ${folder} ${file}\n`.repeat(100));
  }
  return pack(app, work);
}

const round2 = (value: number): number => Math.round(value * 100) / 100;
const round3 = (value: number): number => Math.round(value * 1000) / 1000;

if (import.meta.main) {
  const figures = await benchPack();
  if (process.argv.includes("--json")) console.log(JSON.stringify(figures, null, 2));
  else for (const [name, value] of Object.entries(figures)) console.log(`${name.padEnd(44)} ${value}`);
}
