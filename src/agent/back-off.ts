const maxBackOffMs = 30_000;

/** Pauses between the first starts, while the application has not answered yet; when they are used up, it is a verdict. */
export const firstRetriesMs = [100, 200];

/** An application that answered for so long is well again: the next crash starts with the shortest pause. */
export const wellAfterMs = 30_000;

/** How long to wait before an application that answered once is started again, later and later. */
export function backOffMs(failures: number): number {
  return Math.round(Math.min(maxBackOffMs, 100 * 2 ** (failures - 1)) * (0.75 + Math.random() * 0.5));
}
