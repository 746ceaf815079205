import { readFileSync } from "node:fs";

/** Peak resident memory of this process in bytes. Linux counts the parent's memory before `exec` into `maxRSS`. */
export function peakMemoryBytes(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS * 1024;
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}
