import { finishRemovals } from "../control/app-removal.ts";
import type { Control } from "../control/control.ts";
import type { Rollouts } from "../control/rollouts.ts";
import type { Poller } from "./poller.ts";

/** Finishes the removals of apps that were begun and not ended. */
export function appRemovals(control: Control, rollouts: Rollouts, everyMs: number): Poller {
  return {
    name: "app-removals",
    everyMs,
    async tick(signal) {
      const removed = await finishRemovals(control, rollouts, signal);
      if (removed > 0) control.log.info("finished removing apps", { removed });
    },
  };
}
