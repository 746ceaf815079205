import type { Control } from "../control/control.ts";
import type { Rollouts } from "../control/rollouts.ts";
import type { Deliveries } from "../control/webhook-deliveries.ts";
import { appRemovals } from "./app-removals.ts";
import { eventPollers } from "./events.ts";
import { type Housekeeping, housekeeping } from "./housekeeping.ts";
import { lapsedVerifications } from "./lapsed-verifications.ts";
import { orphanUploads } from "./orphan-uploads.ts";
import { pendingUploads } from "./pending-uploads.ts";
import { type Poller, runPoller } from "./poller.ts";
import { retention } from "./retention.ts";
import { rolloutsPoller } from "./rollouts.ts";
import { type StorageProbe, storageProbe } from "./storage-probe.ts";

export interface PollerOptions {
  pendingGcIntervalMs: number;
  deliveries: Deliveries;
  housekeeping: Housekeeping;
  /** Tries what the storage refuses, where that depends on whose it is. */
  probe?: () => Promise<StorageProbe>;
}

/** Everything the server does by the clock. */
export function pollers(control: Control, rollouts: Rollouts, options: PollerOptions): Poller[] {
  return [
    rolloutsPoller(rollouts, 5_000),
    pendingUploads(control, options.pendingGcIntervalMs),
    appRemovals(control, rollouts, 10_000),
    orphanUploads(control, options.pendingGcIntervalMs),
    ...(options.probe ? [storageProbe(control, options.probe, 10_000)] : []),
    lapsedVerifications(control, 5_000),
    ...retention(control, options.pendingGcIntervalMs),
    ...eventPollers(control, options.deliveries),
    ...housekeeping(options.housekeeping, 180_000),
  ];
}

/** Runs all of them until `signal` aborts; resolves when the last tick has ended. */
export async function runPollers(list: Poller[], control: Control, signal: AbortSignal): Promise<void> {
  await Promise.all(
    list.map((poller) =>
      runPoller(poller, signal, (error) => control.log.error("a poller failed", { poller: poller.name, error })),
    ),
  );
}
