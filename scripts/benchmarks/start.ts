import { binary } from "../../test/harness/binary.ts";
import { quantile } from "./quantile.ts";

/** From the shell to the first output of the command line, against Node's own start. */
export async function benchStart(): Promise<Record<string, number | string>> {
  const runs = 30;
  const version = times(runs, [binary, "version"]);
  const help = times(runs, [binary, "deploy", "--help"]);
  const node = times(runs, ["node", "-e", "0"]);
  return {
    "aether version, p50 ms": round(quantile(version, 0.5)),
    "aether version, p95 ms": round(quantile(version, 0.95)),
    "aether deploy --help, p50 ms": round(quantile(help, 0.5)),
    "aether version / node -e 0": round(quantile(version, 0.5) / quantile(node, 0.5)),
  };
}

function times(runs: number, argv: string[]): number[] {
  const one = () => {
    const since = performance.now();
    const { exitCode } = Bun.spawnSync(argv, { stdout: "ignore", stderr: "ignore" });
    if (exitCode !== 0) throw new Error(`${argv.join(" ")} ended with ${exitCode}`);
    return performance.now() - since;
  };
  one(); // the first one reads the file from disk
  return Array.from({ length: runs }, one);
}

const round = (value: number): number => Math.round(value * 100) / 100;
