// A process of its own that hashes objects of a bucket at once, so that its memory can be measured. Reads the options of
// the storage and the keys as JSON from stdin; prints the digests, and how much memory the reading took at most.
import { createHash } from "node:crypto";
import { createS3Storage } from "../../src/storage/s3/s3.ts";
import { peakMemoryBytes } from "./peak-memory.ts";

const { options, keys } = await Bun.stdin.json();
const storage = createS3Storage({ ...options, now: () => new Date() });
await storage.check();
Bun.gc(true);
const baseline = process.memoryUsage.rss();
const digests = await Promise.all(
  keys.map(async (key: string) => {
    const hash = createHash("sha256");
    for await (const chunk of await storage.read(key)) hash.update(chunk);
    return hash.digest("hex");
  }),
);
console.log(JSON.stringify({ digests, takenBytes: peakMemoryBytes() - baseline }));
