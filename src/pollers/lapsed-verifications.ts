import type { Control } from "../control/control.ts";
import { releaseLapsedClaims } from "../control/verification-lease.ts";
import type { Poller } from "./poller.ts";

/** Takes uploads over that a server was verifying when it died. */
export function lapsedVerifications(control: Control, everyMs: number): Poller {
  return {
    name: "lapsed-verifications",
    everyMs,
    async tick(signal) {
      const released = await releaseLapsedClaims(control, { signal });
      if (released > 0) control.log.warn("returned uploads to pending that were left while verified", { released });
    },
  };
}
