import { setTimeout as sleep } from "node:timers/promises";
import type { Control } from "../control/control.ts";
import type { Rollouts } from "../control/rollouts.ts";
import type { Deliveries } from "../control/webhook-deliveries.ts";
import { appRemovals } from "./app-removals.ts";
import { eventPollers } from "./events.ts";
import { type Housekeeping, housekeeping } from "./housekeeping.ts";
import { lapsedVerifications } from "./lapsed-verifications.ts";
import { orphanObjects } from "./orphan-objects.ts";
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
    orphanObjects(control, options.pendingGcIntervalMs),
    ...(options.probe ? [storageProbe(control, options.probe, 10_000)] : []),
    lapsedVerifications(control, 5_000),
    ...retention(control, options.pendingGcIntervalMs),
    ...eventPollers(control, options.deliveries),
    ...housekeeping(options.housekeeping, 180_000),
  ];
}

/** Pollers that run until their signal aborts. */
export interface RunningPollers {
  /** Resolves when the last tick has ended, or after `graceMs`: a tick may wait for a store that is silent. */
  end(graceMs: number): Promise<void>;
}

/** Runs all of them until `signal` aborts. */
export function runPollers(list: Poller[], { log }: Pick<Control, "log">, signal: AbortSignal): RunningPollers {
  const running = new Set(list.map(({ name }) => name));
  const all = list.map(async (poller) => {
    await runPoller(poller, signal, (error) => log.error("a poller failed", { poller: poller.name, error }));
    running.delete(poller.name);
  });
  return {
    async end(graceMs) {
      const timer = new AbortController();
      await Promise.race([Promise.all(all), sleep(graceMs, undefined, { signal: timer.signal }).catch(() => {})]);
      timer.abort();
      if (running.size > 0) log.warn("stopped before all pollers had ended", { pollers: [...running] });
    },
  };
}
