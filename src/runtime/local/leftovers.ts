import { readlinkSync } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ReplicaRecord } from "../../core/agent-protocol.ts";
import { groupMembers, isRunning, signalGroup } from "../../lib/processes.ts";
import type { Logger } from "../../telemetry/log.ts";

export interface CleaningOptions {
  /** Where every application of ours has its folder. */
  appsFolder: string;
  graceMs: number;
  log: Logger;
}

/**
 * Ends what a server that was killed left running, so that nothing runs twice. Agents notice the end of their server
 * themselves and get the grace for it; then they and their applications are killed. Returns when all are gone.
 */
export async function cleanLeftovers(folder: string, options: CleaningOptions): Promise<void> {
  await mkdir(folder, { recursive: true });
  const names = await readdir(folder);
  await Promise.all(names.map((name) => cleanOne(join(folder, name), options)));
}

async function cleanOne(path: string, { appsFolder, graceMs, log }: CleaningOptions): Promise<void> {
  const record = await readRecord(path);
  const agent = record?.agent;
  const app = record?.app;
  if (agent && (await isGone(() => !isRunning(agent), graceMs + 2_000)) === false) kill(agent.pid);
  if (app && (isRunning(app) || groupMembers(app.pid).some((pid) => runsBelow(pid, appsFolder)))) {
    log.warn("ending an application that an earlier server left behind", { pid: app.pid });
    signalGroup(app.pid, "SIGTERM");
    if (!(await isGone(() => groupMembers(app.pid).length === 0, graceMs))) signalGroup(app.pid, "SIGKILL");
    await isGone(() => groupMembers(app.pid).length === 0, 5_000);
  }
  await rm(path, { force: true });
}

/** The shell of an application may have ended before what it started: only their folder says whose they are. */
function runsBelow(pid: number, folder: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`).startsWith(`${folder}/`);
  } catch {
    return false; // it ended meanwhile, or this is no Linux
  }
}

async function readRecord(path: string): Promise<ReplicaRecord | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as ReplicaRecord;
  } catch {
    return undefined; // killed in the middle of writing it: the application had not been reported yet
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it ended by itself
  }
}

async function isGone(test: () => boolean, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (!test()) {
    if (performance.now() > deadline) return false;
    await sleep(50);
  }
  return true;
}
