import { setImmediate } from "node:timers/promises";

/**
 * The chunks as they are, with a turn for everything else after every 16 MB: a loop over a file that is in the page cache
 * never waits, so that what it has read is not collected before it ends.
 */
export async function* breathing(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of chunks) {
    yield chunk;
    bytes += chunk.length;
    if (bytes < 16_000_000) continue;
    bytes = 0;
    await setImmediate();
  }
}
