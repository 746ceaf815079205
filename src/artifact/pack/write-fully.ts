import { writeSync } from "node:fs";

/** Writes all of `bytes` where the open file ends; one call may write less than it was given. */
export function writeFully(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}
