import { table } from "../table.ts";

/** In the order in which they happen; those of the replicas are part of the line above them, which is all of the wait. */
const rows: [name: string, meaning: string][] = [
  ["detect", "reading the project"],
  ["build", "its build command"],
  ["install", "dependencies, or finding them unchanged"],
  ["check", "what would not run there"],
  ["pack", "reading, compressing, hashing"],
  ["upload", "to the storage, and the server's check of it"],
  ["start", "from here until all replicas answered"],
  ["create", "  the release is recorded"],
  ["schedule", "  a replica is given its place"],
  ["boot", "  its pod, or its agent's process, comes up"],
  ["fetch", "  download, and its SHA-256 compared"],
  ["unpack", "  unpacking"],
  ["ready", "  the application, from its start to its answer"],
  ["total", ""],
];

/** The stages of a deploy with their milliseconds, for people; of several replicas the slowest in each stage. */
export function timingsTable(timings: Record<string, number>): string {
  const known = rows.filter(([name]) => timings[`${name}_ms`] !== undefined);
  return table(
    ["STAGE", "MS", ""],
    known.map(([name, meaning]) => [name, String(timings[`${name}_ms`]).padStart(7), meaning]),
  );
}
