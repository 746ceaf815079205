// One pack in a process of its own: `pack-once.ts <folder> <out> <cache | ->`. Prints its time, size and peak memory.
import { packFolder } from "../../src/artifact/pack/pack.ts";
import { peakMemoryBytes } from "../../test/harness/peak-memory.ts";

const [folder = ".", outFolder = ".", cache = "-"] = process.argv.slice(2);
const since = performance.now();
const { sizeBytes, digest, files, members } = await packFolder({
  appFolder: folder,
  dependenciesFolder: folder,
  appConfig: { start: "node server.js" },
  outFolder,
  ...(cache === "-" ? {} : { cacheFolder: cache }),
});
const ms = performance.now() - since;
const { user, system } = process.cpuUsage();
const peakMegabytes = Math.round(peakMemoryBytes() / 1e6);
console.log(JSON.stringify({ ms, cpuMs: (user + system) / 1000, sizeBytes, digest, files, members, peakMegabytes }));
