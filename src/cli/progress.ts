import { formatBytes } from "../lib/bytes.ts";

/** A progress line in the making. */
export interface Progress {
  readonly label: string;
  /** The line to draw; undefined when the last one is fresh enough. */
  update(doneBytes: number, totalBytes?: number): string | undefined;
}

/** Redrawn no more often than this; the last byte always is. */
const everyMs = 100;

/** Follows one transfer: how much, how fast, how much longer. */
export function createProgress(label: string, now = () => performance.now()): Progress {
  const rate = createRate(now);
  let drawnAt = Number.NEGATIVE_INFINITY;
  return {
    label,
    update(doneBytes, totalBytes) {
      const bytesPerSecond = rate(doneBytes);
      if (now() - drawnAt < everyMs && doneBytes !== totalBytes) return undefined;
      drawnAt = now();
      return progressLine(label, { doneBytes, totalBytes, bytesPerSecond });
    },
  };
}

export interface Amounts {
  doneBytes: number;
  /** Without it there is no bar, and no time left. */
  totalBytes?: number | undefined;
  bytesPerSecond?: number | undefined;
}

/** `Uploading  ██████████████░░░░░░  70 %  7.0 MB of 10.0 MB  1.5 MB/s  2 s left` */
export function progressLine(label: string, { doneBytes, totalBytes, bytesPerSecond }: Amounts): string {
  if (totalBytes === undefined) return `${label}  ${formatBytes(doneBytes)}`;
  const share = totalBytes === 0 ? 1 : Math.min(1, doneBytes / totalBytes);
  const filled = Math.round(share * 20);
  const bar = "█".repeat(filled) + "░".repeat(20 - filled);
  // Rounded down: 100 % is said when all is done.
  const line = `${label}  ${bar}  ${Math.floor(share * 100)} %  ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`;
  if (bytesPerSecond === undefined || share === 1) return line;
  const seconds = (totalBytes - doneBytes) / bytesPerSecond;
  return `${line}  ${formatBytes(bytesPerSecond)}/s${Number.isFinite(seconds) ? `  ${formatTimeLeft(seconds)} left` : ""}`;
}

function formatTimeLeft(seconds: number): string {
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  if (seconds < 6_000) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3_600)} h`;
}

/** What is older than this hardly counts any more. */
const memoryMs = 3_000;
const sampleMs = 250;

/** A smoothed rate in bytes a second. What was done at the first call does not count: an upload may be resumed. */
function createRate(now: () => number): (doneBytes: number) => number | undefined {
  let last: { at: number; doneBytes: number } | undefined;
  let rate: number | undefined;
  return (doneBytes) => {
    const at = now();
    last ??= { at, doneBytes };
    const ms = at - last.at;
    if (ms < sampleMs) return rate;
    const current = Math.max(0, (doneBytes - last.doneBytes) / (ms / 1000)); // less is done when a part starts again
    const weight = 1 - Math.exp(-ms / memoryMs);
    rate = rate === undefined ? current : rate + (current - rate) * weight;
    last = { at, doneBytes };
    return rate;
  };
}
