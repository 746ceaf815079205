import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** A process as written down to be found again: a pid alone may be another's by then. */
export interface ProcessRecord {
  pid: number;
  /** When it started, in the kernel's own words. */
  startedAt: string;
}

/** What names the process `pid` for ever, or undefined when there is none (a zombie is none). */
export function processRecord(pid: number): ProcessRecord | undefined {
  const startedAt = process.platform === "linux" ? linuxStart(pid) : psColumns(["-p", String(pid)], "lstart=")[0];
  return startedAt === undefined ? undefined : { pid, startedAt };
}

/** Whether that very process still runs. */
export function isRunning(record: ProcessRecord): boolean {
  return processRecord(record.pid)?.startedAt === record.startedAt;
}

/** The living processes of a process group. */
export function groupMembers(pgid: number): number[] {
  if (!signalGroup(pgid, 0)) return [];
  if (process.platform === "linux") {
    return linuxPids().filter((pid) => {
      const stat = linuxStat(pid);
      return stat !== undefined && stat.group === pgid && stat.state !== "Z";
    });
  }
  return psColumns(["-ax"], "pgid=,pid=,stat=")
    .map((line) => line.trim().split(/\s+/))
    .filter(([group, , state = ""]) => Number(group) === pgid && !state.startsWith("Z"))
    .map(([, pid]) => Number(pid));
}

/** Signals a whole process group; false when it is gone. */
export function signalGroup(pgid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pgid, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}

function linuxStart(pid: number): string | undefined {
  const stat = linuxStat(pid);
  if (stat === undefined || stat.state === "Z") return undefined;
  return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}/${stat.startTicks}`;
}

function linuxPids(): number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}

/** The fields of proc(5) that matter here. The name in brackets may hold anything, brackets and blanks too. */
function linuxStat(pid: number): { state: string; group: number; startTicks: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", group: Number(fields[2]), startTicks: fields[19] ?? "" };
  } catch {
    return undefined; // it ended while we looked
  }
}

function psColumns(selection: string[], columns: string): string[] {
  try {
    const text = execFileSync("ps", [...selection, "-o", columns], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return text.split("\n").filter((line) => line.trim() !== "");
  } catch {
    return []; // ps exits 1 when nothing matches
  }
}
