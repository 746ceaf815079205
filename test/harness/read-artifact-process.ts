// Reads an artifact in a process of its own, without writing: prints the outcome and peak memory in bytes.
import { hashFile, readArtifact } from "../../src/artifact/unpack/unpack.ts";
import { peakMemoryBytes } from "./peak-memory.ts";

const path = process.argv[2] ?? "";
const digest = await hashFile(path);
const outcome = await readArtifact(path, { digest }).then(
  ({ files }) => ({ files }),
  (error) => ({ code: error.code, rule: error.details?.rule }),
);
console.log(JSON.stringify({ ...outcome, peakBytes: peakMemoryBytes() }));
