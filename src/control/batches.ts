/** How many rows one statement deletes: its locks are held for a moment only. */
export const batchSize = 1000;

/** Repeats `deleteSome`, which deletes at most `batchSize` rows and says how many, until nothing is left; says how many went. */
export async function inBatches(deleteSome: () => Promise<number>, signal?: AbortSignal): Promise<number> {
  let deleted = 0;
  while (!signal?.aborted) {
    const some = await deleteSome();
    deleted += some;
    if (some < batchSize) break;
  }
  return deleted;
}
