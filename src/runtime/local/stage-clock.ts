import type { AgentEvent } from "../../core/agent-protocol.ts";
import type { Stages } from "../../core/replica-stages.ts";

/** How long a replica's start took, by what its agent says. */
export interface StageClock {
  /** It has its port, and an agent is started. */
  placed(): void;
  /** What happens after the first answer counts no more. */
  observe(event: AgentEvent): void;
  /** Undefined until it has answered. */
  stages(): Stages | undefined;
}

/** A clock that starts now. */
export function createStageClock(now: () => number = () => performance.now()): StageClock {
  const begun = now();
  let placedAt = begun;
  let stages: Stages = {};
  let answered = false;
  return {
    placed() {
      if (answered) return;
      placedAt = now();
      stages = { schedule: placedAt - begun };
    },
    observe(event) {
      if (answered) return;
      if (event.event === "fetched") Object.assign(stages, { boot: now() - placedAt - event.ms, fetch: event.ms });
      if (event.event === "unpacked") stages.unpack = event.ms;
      if (event.event !== "answering") return;
      stages.ready = event.ms;
      answered = true;
    },
    stages: () => (answered ? stages : undefined),
  };
}
