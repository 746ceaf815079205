// Runs the benchmarks named on the command line, or all. Each gives figures by name; times are in milliseconds.
import { benchApi } from "./api.ts";
import { benchCluster } from "./cluster.ts";
import { benchDeploy } from "./deploy.ts";
import { benchPack } from "./pack.ts";
import { benchStart } from "./start.ts";

const benchmarks = { pack: benchPack, deploy: benchDeploy, start: benchStart, api: benchApi, cluster: benchCluster };

const asked = process.argv.slice(2).filter((arg) => arg !== "--json");
const results: Record<string, Record<string, number | string>> = {};
for (const [name, bench] of Object.entries(benchmarks)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const figures = await bench();
  results[name] = figures;
  for (const [figure, value] of Object.entries(figures))
    console.error(`${name.padEnd(8)} ${figure.padEnd(44)} ${value}`);
}
if (process.argv.includes("--json")) console.log(JSON.stringify(results, null, 2));
