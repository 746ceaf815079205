// A process of its own around the storage, so that its memory can be measured: prints the signed PUTs of
// `uploads` objects, then on each line of stdin its peak resident memory in bytes.
import { peakMemoryBytes } from "./peak-memory.ts";
import { sample, storageServer } from "./storage-server.ts";

const [uploads = "1", sizeBytes = "1"] = process.argv.slice(2);
const { digest } = sample(new Uint8Array(Number(sizeBytes)));
await using server = await storageServer();
const requests = await Promise.all(
  Array.from({ length: Number(uploads) }, (_, index) =>
    server.storage.presignPut({
      key: `artifacts/app-${index}/${digest}/app.tar.gz`,
      digest,
      sizeBytes: Number(sizeBytes),
      expiresSeconds: 600,
    }),
  ),
);
Bun.gc(true);
console.log(JSON.stringify({ requests, baseline: process.memoryUsage.rss() }));
for await (const _ of console) console.log(peakMemoryBytes());
