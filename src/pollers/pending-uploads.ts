import { type Control, system } from "../control/control.ts";
import { expirePendingUploads } from "../control/expiry.ts";
import type { Poller } from "./poller.ts";

/** Removes uploads that were never completed. */
export function pendingUploads(control: Control, everyMs: number): Poller {
  return {
    name: "pending-uploads",
    everyMs,
    async tick(signal) {
      control.metrics.pendingGcRuns.inc();
      const expired = await expirePendingUploads(control, system, signal);
      if (expired > 0) control.log.info("removed uploads that were never completed", { expired });
    },
  };
}
