import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { AgentEvent, AgentSpec, ReplicaRecord } from "../core/agent-protocol.ts";
import type { AppConfig } from "../core/app-config.ts";
import { appEnvironment } from "../core/app-environment.ts";
import { messageOf } from "../lib/errors.ts";
import { processRecord } from "../lib/processes.ts";
import { type AppProcess, type Exit, startApp } from "./app-process.ts";
import { captureOutput, createThrottle } from "./capture-output.ts";
import { watchElsewhere } from "./elsewhere.ts";
import { type Attempted, describeExit, explainExit, explainSilence } from "./explain.ts";
import { listeningPorts } from "./listening-ports.ts";
import type { LogWriter } from "./log-writer.ts";
import { type Probe, waitUntilAnswering } from "./readiness.ts";

const firstRetriesMs = [100, 200];
const maxBackOffMs = 30_000;
/** An application that answered for so long is well again: the next crash starts with the shortest pause. */
const wellAfterMs = 30_000;

/** Listening elsewhere for this share of the start time-out is a verdict: 15 of 60 s. */
const settledShare = 0.25;

export interface Supervision {
  spec: AgentSpec;
  config: AppConfig;
  port: number;
  /** The unpacked release. */
  folder: string;
  log: LogWriter;
  emit: (event: AgentEvent) => void;
  stop: AbortSignal;
}

/**
 * Runs the application until `stop`. Before it has answered once, a failure is a verdict and thrown; afterwards it is
 * started again, later and later.
 */
export async function supervise(job: Supervision): Promise<void> {
  const { stop, emit, log } = job;
  const throttle = createThrottle();
  let everAnswered = false;
  let failures = 0;
  for (let attempt = 1; !stop.aborted; attempt += 1) {
    const app = await launch(job, attempt);
    const output = Promise.all([
      captureOutput("stdout", app.stdout, { log, throttle }),
      captureOutput("stderr", app.stderr, { log, throttle }),
    ]);
    const outcome = await watchOnce(job, app);
    const silence = outcome.exit ? undefined : explainSilenceNow(job, app, outcome);
    await app.end(job.spec.graceMs);
    await Promise.race([output, sleep(500)]); // a pipe handed to a process that left the group may stay open
    if (stop.aborted) return;

    everAnswered ||= outcome.answeredMs !== undefined;
    failures = (outcome.answeredMs ?? 0) > wellAfterMs ? 1 : failures + 1;
    if (!everAnswered) {
      const verdict =
        silence ??
        explainExit(
          outcome.exit ?? { code: null, signal: null },
          attemptedOf(job),
          firstRetriesMs.length - attempt + 1,
        );
      if (verdict) throw verdict;
    }
    const restartInMs = everAnswered ? backOffMs(failures) : (firstRetriesMs[attempt - 1] ?? maxBackOffMs);
    const exit = outcome.exit ?? { code: null, signal: null };
    emit({ event: "exited", ...exit, restartInMs });
    log.note(
      `${silence?.message ?? `The application ${describeExit(exit)}.`} It is started again in ${restartInMs} ms.`,
    );
    await sleep(restartInMs, undefined, { signal: stop }).catch(() => undefined); // stopped: the loop ends
  }
}

async function launch(job: Supervision, attempt: number): Promise<AppProcess> {
  const { spec, config, folder } = job;
  const env = appEnvironment(spec.env, { folder, nodePath: process.execPath, port: job.port });
  const app = await startApp(config.start, { cwd: folder, env });
  writeRecord(job, { agent: processRecord(process.pid), app: processRecord(app.pid) });
  job.emit({ event: "started", pid: app.pid, attempt });
  return app;
}

/** Needed only when server and agent are both killed, so that a full disk must not keep the application from running. */
function writeRecord(
  { spec, log }: Supervision,
  record: { [Name in keyof ReplicaRecord]: ReplicaRecord[Name] | undefined },
): void {
  try {
    writeFileSync(spec.recordPath, JSON.stringify(record));
  } catch (error) {
    log.note(`The process of the application could not be written down: ${messageOf(error)}`);
  }
}

interface Outcome {
  /** Set when it ended. */
  exit?: Exit;
  /** What the last probe saw, and after how long of waiting for an answer. */
  seen?: Probe;
  waitedMs?: number;
  /** For how long it answered. */
  answeredMs?: number;
}

/** From the start to its end, or until it is given up. */
async function watchOnce(job: Supervision, app: AppProcess): Promise<Outcome> {
  const begin = performance.now();
  const over = new AbortController();
  const exited = app.exited.then((exit) => {
    over.abort();
    return exit;
  });
  const giveUp = new AbortController(); // AbortSignal.any needs a newer Node than 18.0
  const { startTimeoutMs } = job.spec;
  const limit = setTimeout(() => giveUp.abort(), startTimeoutMs);
  const forMs = startTimeoutMs * settledShare;
  const stopLooking = watchElsewhere({ pgid: app.pid, port: job.port, forMs }, () => giveUp.abort());
  for (const signal of [over.signal, job.stop]) signal.addEventListener("abort", () => giveUp.abort(), { once: true });
  const seen = await answering(job, app, giveUp.signal);
  clearTimeout(limit);
  stopLooking();
  if (over.signal.aborted) return { exit: await exited };
  if (seen.kind !== "answering" || job.stop.aborted) return { seen, waitedMs: performance.now() - begin };
  const since = performance.now();
  job.emit({ event: "answering", host: seen.host, port: job.port, ms: Math.round(since - begin) });
  const stopped = new Promise<undefined>((done) =>
    job.stop.addEventListener("abort", () => done(undefined), { once: true }),
  );
  const exit = await Promise.race([exited, stopped]);
  return { ...(exit ? { exit } : {}), seen, answeredMs: performance.now() - since };
}

/** An answer counts only when the application itself gives it, not a stranger that holds the port. */
async function answering(job: Supervision, app: AppProcess, signal: AbortSignal): Promise<Probe> {
  const target = { port: job.port, healthPath: job.config.health?.path };
  for (;;) {
    const seen = await waitUntilAnswering(target, signal);
    if (seen.kind !== "answering") return seen;
    if (listeningPorts(app.pid)?.includes(job.port) !== false) return seen;
    await sleep(50, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return { kind: "refused" };
  }
}

function explainSilenceNow(job: Supervision, app: AppProcess, { seen, waitedMs = 0 }: Outcome) {
  if (job.stop.aborted || seen === undefined || seen.kind === "answering") return undefined;
  return explainSilence(seen, app.pid, attemptedOf(job), waitedMs);
}

function attemptedOf({ config, port, log }: Supervision): Attempted {
  return {
    start: config.start,
    port,
    fixedPort: config.port !== undefined,
    healthPath: config.health?.path,
    log: log.tail(),
  };
}

function backOffMs(failures: number): number {
  return Math.round(Math.min(maxBackOffMs, 100 * 2 ** (failures - 1)) * (0.75 + Math.random() * 0.5));
}
