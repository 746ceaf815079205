import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { groupMembers, signalGroup } from "../lib/processes.ts";

/** How a process ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** The application: a shell and all it started, one process group. */
export interface AppProcess {
  /** Also the id of its process group. */
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The shell has ended; others of its group may live. */
  readonly exited: Promise<Exit>;
  /** All its output has been read. */
  readonly closed: Promise<void>;
  /** SIGTERM to the whole group, SIGKILL after the grace; returns when none is left. */
  end(graceMs: number): Promise<void>;
}

/** Starts `command` in a session and process group of its own, so that a signal reaches what it starts, too. */
export async function startApp(
  command: string,
  options: { cwd: string; env: Record<string, string> },
): Promise<AppProcess> {
  const child = spawn("/bin/sh", ["-c", command], { ...options, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const exited = new Promise<Exit>((done) => child.once("exit", (code, signal) => done({ code, signal })));
  const closed = new Promise<void>((done) => child.once("close", () => done()));
  await new Promise<void>((started, failed) => child.once("spawn", started).once("error", failed));
  const pid = child.pid ?? 0;
  return { pid, stdout: child.stdout, stderr: child.stderr, exited, closed, end: (graceMs) => endGroup(pid, graceMs) };
}

async function endGroup(pgid: number, graceMs: number): Promise<void> {
  if (!signalGroup(pgid, "SIGTERM")) return;
  if (await isGone(pgid, graceMs)) return;
  signalGroup(pgid, "SIGKILL");
  await isGone(pgid, 5_000); // the kernel needs a moment to take a large process apart
}

async function isGone(pgid: number, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 100)) {
    if (groupMembers(pgid).length === 0) return true;
    if (performance.now() >= deadline) return false;
    await sleep(Math.min(pauseMs, Math.max(1, deadline - performance.now())));
  }
}
