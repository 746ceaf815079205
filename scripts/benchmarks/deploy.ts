import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createUser, runJson, startServe } from "../../test/harness/binary.ts";
import { quantile } from "./quantile.ts";

const sample = join(import.meta.dir, "..", "..", "examples", "sample-node");

/** `aether deploy` of examples/sample-node, each time with a changed line, from start to answering. */
export async function benchDeploy(): Promise<Record<string, number | string>> {
  await using user = await createUser();
  await using server = await startServe(user);
  const folder = join(user.path, "sample-node");
  await cp(sample, folder, { recursive: true });
  const times: number[] = [];
  const starts: number[] = [];
  for (let run = 0; run < 15; run += 1) {
    await writeFile(join(folder, "server.js"), `${await readFile(join(sample, "server.js"), "utf8")}\n// ${run}\n`);
    const since = performance.now();
    const { code, stderr, json } = await runJson(user, ["deploy", folder, "--server", server.api]);
    times.push(performance.now() - since);
    if (code !== 0) throw new Error(stderr);
    starts.push(json.timings.start_ms);
  }
  const [first = Number.NaN, ...later] = times;
  return {
    "first deploy, ms": Math.round(first),
    "deploy to answering, p50 ms": Math.round(quantile(later, 0.5)),
    "deploy to answering, p95 ms": Math.round(quantile(later, 0.95)),
    "of it: deployment created to answering, p50 ms": Math.round(quantile(starts, 0.5)),
  };
}
