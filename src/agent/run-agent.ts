import { once } from "node:events";
import { join } from "node:path";
import type { AgentEvent, AgentSpec } from "../core/agent-protocol.ts";
import { toFailure } from "./failure.ts";
import { createLogWriter } from "./log-writer.ts";
import { prepareRelease, startConfig } from "./prepare-release.ts";
import { supervise } from "./supervise.ts";

/** How whoever started the agent is told and listened to. */
export interface AgentControl {
  emit: (event: AgentEvent) => void;
  /** Aborted by the command `start`. */
  start: AbortSignal;
  /** Aborted by the command `stop`, and when the server is gone. */
  stop: AbortSignal;
}

/** One replica's life: fetch, verify, unpack, run, until `stop` or a verdict. Nothing of it runs any more when it returns. */
export async function runAgent(spec: AgentSpec, { emit, start, stop }: AgentControl): Promise<void> {
  const log = createLogWriter(spec.logFolder, spec.replica);
  try {
    const folder = join(spec.releasesFolder, spec.digest);
    await prepareRelease({ ...spec, folder, signal: stop }, emit);
    const config = await startConfig(spec.config, folder);
    emit({ event: "prepared" });
    if (spec.waitForStart && !start.aborted) await once(start, "abort", { signal: stop });
    const port = config.port ?? spec.port;
    await supervise({ spec, config, port, folder, log, emit, stop });
  } catch (error) {
    if (!stop.aborted) emit({ event: "failed", ...toFailure(error), log: log.tail() });
  } finally {
    log.close();
    emit({ event: "stopped" });
  }
}
