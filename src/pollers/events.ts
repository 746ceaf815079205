import type { Control } from "../control/control.ts";
import { purgeKeys } from "../control/idempotency.ts";
import { limitOutbox } from "../control/outbox-limits.ts";
import { type Deliveries, purgeDeliveries } from "../control/webhook-deliveries.ts";
import type { Poller } from "./poller.ts";

/** The net under every nudge, and how one server hears of what another committed. */
export function eventPollers(control: Control, deliveries: Deliveries): Poller[] {
  return [
    { name: "events", everyMs: 250, tick: () => control.events.advance() },
    { name: "webhook-deliveries", everyMs: 1_000, tick: () => deliveries.run() },
    {
      name: "webhook-outbox",
      everyMs: 60_000,
      async tick() {
        const limited = await limitOutbox(control);
        if (limited.givenUp > 0) control.log.warn("deliveries were given up: nobody took them", { ...limited });
      },
    },
    {
      name: "expired-records",
      everyMs: 3_600_000,
      firstMs: 60_000, // a server that lives for less than an hour does it as well
      async tick(signal) {
        const keys = await purgeKeys(control, signal);
        const sent = await purgeDeliveries(control, signal);
        if (keys + sent > 0) control.log.info("removed old records", { idempotency_keys: keys, deliveries: sent });
      },
    },
  ];
}
