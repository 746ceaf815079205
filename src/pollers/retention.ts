import type { Control } from "../control/control.ts";
import { removeFailedDeployments } from "../control/failed-deployments.ts";
import { retireArtifacts } from "../control/retention.ts";
import type { Poller } from "./poller.ts";

/** Removes what an app no longer needs: old artifacts, and deployments that failed long ago. */
export function retention(control: Control, everyMs: number): Poller[] {
  return [
    {
      name: "artifact-retention",
      everyMs,
      async tick(signal) {
        const retired = await retireArtifacts(control, signal);
        if (retired > 0) control.log.info("removed artifacts beyond the newest of their app", { retired });
      },
    },
    {
      name: "failed-deployments",
      everyMs,
      async tick() {
        const removed = await removeFailedDeployments(control);
        if (removed > 0) control.log.info("removed deployments that failed long ago", { removed });
      },
    },
  ];
}
