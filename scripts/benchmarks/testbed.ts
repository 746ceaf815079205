import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";

/** Real parts for a machine that has none (`AETHER_TESTBED`, or beside the repository). */
export const testbed = process.env.AETHER_TESTBED ?? join(import.meta.dir, "..", "..", "..", "shared", "testbed");

/** The application that times are measured on: `AETHER_BENCH_APP`, else as the testbed makes it. */
export async function ensureBenchApp(): Promise<string> {
  const given = process.env.AETHER_BENCH_APP;
  if (given !== undefined) return given;
  const folder = join(tmpdir(), "aether-bench-app");
  await $`${join(testbed, "bench-app")} ${folder}`.quiet();
  return folder;
}

/** Why nothing can be measured on a cluster, or undefined. */
export function whyNoCluster(): string | undefined {
  if (!process.env.KUBECONFIG) return `KUBECONFIG names no cluster: eval "$(${testbed}/up)" starts one`;
  if (!existsSync(join(testbed, "build-image"))) return `there is no build-image in ${testbed} (AETHER_TESTBED)`;
  return Bun.which("kubectl") === null ? "there is no kubectl on PATH" : undefined;
}
