import type { Exit } from "./app-process.ts";
import { AgentFailure } from "./failure.ts";
import { listeningPorts } from "./listening-ports.ts";
import type { Probe } from "./readiness.ts";

/** What was tried, for the sentences a person reads. */
export interface Attempted {
  start: string;
  port: number;
  /** The port is the application's own (`port` in aether.json), not one we chose. */
  fixedPort: boolean;
  healthPath: string | undefined;
  log: string[];
}

/** Why an application that ended before it answered is given up, or undefined when it may be tried again. */
export function explainExit(exit: Exit, attempted: Attempted, triesLeft: number): AgentFailure | undefined {
  if (exit.code === 0) {
    return new AgentFailure(
      "exited",
      `\`${attempted.start}\` ended at once with exit code 0, before it answered on port ${attempted.port}. ` +
        "A web application has to keep running: check the start command.",
    );
  }
  if (triesLeft > 0) return undefined;
  const taken = takenPort(attempted);
  if (taken !== undefined) return new AgentFailure("crash_loop", taken);
  if (exit.signal === "SIGKILL" || exit.code === 137) {
    return new AgentFailure(
      "oom_killed",
      `\`${attempted.start}\` was killed by SIGKILL before it answered, most likely because memory ran out.`,
    );
  }
  const heap = attempted.log.some((line) => line.includes("JavaScript heap out of memory"));
  if (heap) {
    return new AgentFailure("oom_killed", `\`${attempted.start}\` ran out of JavaScript heap before it answered.`);
  }
  return new AgentFailure(
    "crash_loop",
    `\`${attempted.start}\` ${describeExit(exit)} before it answered, three times.`,
  );
}

/** Why an application that runs but never answered is given up. */
export function explainSilence(last: Probe, pgid: number, attempted: Attempted, afterMs: number): AgentFailure {
  const waited = `within ${Math.round(afterMs / 100) / 10} s`;
  const asked = `GET ${attempted.healthPath ?? "/"} on port ${attempted.port}`;
  if (last.kind === "unhealthy") {
    return new AgentFailure("probe_failed", `${asked} answered ${last.status}; 2xx or 3xx was expected ${waited}.`);
  }
  if (last.kind === "not_http") {
    return new AgentFailure(
      "probe_failed",
      `Port ${attempted.port} is open, but what answers there is not HTTP (${last.detail}).`,
    );
  }
  if (last.kind === "silent") {
    return new AgentFailure("probe_failed", `Port ${attempted.port} is open, but ${asked} was not answered ${waited}.`);
  }
  return new AgentFailure(
    "not_listening",
    `${takenPort(attempted) ?? notListening(pgid, attempted)} (No answer ${waited}.)`,
  );
}

/** `exited with code 1` or `was ended by SIGTERM`. */
export function describeExit({ code, signal }: Exit): string {
  return signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
}

function notListening(pgid: number, { port, fixedPort }: Attempted): string {
  const others = listeningPorts(pgid)?.filter((other) => other !== port) ?? [];
  if (others.length === 0) {
    return `The application runs but does not listen on port ${port}: have it listen on process.env.PORT.`;
  }
  const listens = `The application listens on ${others.join(", ")}, but`;
  if (fixedPort) return `${listens} "port" in aether.json is ${port}: change it to ${others[0]}.`;
  return `${listens} PORT is ${port}: use process.env.PORT, or set "port": ${others[0]} in aether.json.`;
}

function takenPort({ log, port, fixedPort }: Attempted): string | undefined {
  const line = log.findLast((text) => text.includes("EADDRINUSE"));
  if (line === undefined) return undefined;
  const taken = Number(/EADDRINUSE\D*(?:[\d.]+|\[?[0-9a-f:]*\]?):(\d+)/.exec(line)?.[1] ?? port);
  if (taken === port && !fixedPort) return `Port ${taken}, which was free a moment ago, is in use by another program.`;
  return `The application wants port ${taken}, which is in use by another program: listen on process.env.PORT instead.`;
}
