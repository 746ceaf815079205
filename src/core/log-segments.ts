/** Log files of a replica: NDJSON `LogLine`s in `00000001.ndjson`, `00000002.ndjson`, …; the highest is written to. */
export const segmentName = (number: number): string => `${String(number).padStart(8, "0")}.ndjson`;

/** The number of a segment file, or undefined for any other file. */
export function segmentNumber(name: string): number | undefined {
  const match = /^(\d{8,})\.ndjson$/.exec(name);
  return match ? Number(match[1]) : undefined;
}
