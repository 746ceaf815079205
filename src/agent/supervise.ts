import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { AgentEvent, AgentSpec, ReplicaRecord } from "../core/agent-protocol.ts";
import type { AppConfig } from "../core/app-config.ts";
import { appEnvironment } from "../core/app-environment.ts";
import { messageOf } from "../lib/errors.ts";
import { processRecord } from "../lib/processes.ts";
import { type AppProcess, startApp } from "./app-process.ts";
import { backOffMs, firstRetriesMs, wellAfterMs } from "./back-off.ts";
import { captureOutput, createThrottle } from "./capture-output.ts";
import { type Attempted, describeExit, explainExit, explainSilence } from "./explain.ts";
import type { LogWriter } from "./log-writer.ts";
import { type Started, untilAnswering } from "./until-answering.ts";

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
    const restartInMs = everAnswered ? backOffMs(failures) : (firstRetriesMs[attempt - 1] ?? backOffMs(attempt));
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

interface Outcome extends Started {
  /** For how long it answered. */
  answeredMs?: number;
}

/** From the start to its end, or until it is given up. */
async function watchOnce(job: Supervision, app: AppProcess): Promise<Outcome> {
  const { port, config, spec, stop } = job;
  const { startTimeoutMs } = spec;
  const start = await untilAnswering({ app, port, healthPath: config.health?.path, startTimeoutMs, stop });
  const { seen, waitedMs } = start;
  if (seen?.kind !== "answering" || stop.aborted) return start;
  const since = performance.now();
  job.emit({ event: "answering", host: seen.host, port, ms: Math.round(waitedMs) });
  const stopped = new Promise<undefined>((done) =>
    stop.addEventListener("abort", () => done(undefined), { once: true }),
  );
  const exit = await Promise.race([app.exited, stopped]);
  return { ...(exit ? { exit } : {}), seen, waitedMs, answeredMs: performance.now() - since };
}

function explainSilenceNow(job: Supervision, app: AppProcess, { seen, waitedMs }: Outcome) {
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
