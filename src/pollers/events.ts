import type { Control } from "../control/control.ts";
import { purgeKeys } from "../control/idempotency.ts";
import { type Deliveries, purgeDeliveries } from "../control/webhook-deliveries.ts";
import type { Poller } from "./poller.ts";

/** The net under every nudge, and how one server hears of what another committed. */
export function eventPollers(control: Control, deliveries: Deliveries): Poller[] {
  return [
    { name: "events", everyMs: 250, tick: () => control.events.advance() },
    { name: "webhook-deliveries", everyMs: 1_000, tick: () => deliveries.run() },
    {
      name: "expired-records",
      everyMs: 3_600_000,
      later: true,
      async tick() {
        const keys = await purgeKeys(control);
        const sent = await purgeDeliveries(control.db);
        if (keys + sent > 0) control.log.info("removed old records", { idempotency_keys: keys, deliveries: sent });
      },
    },
  ];
}
