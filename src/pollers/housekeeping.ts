import type { Poller } from "./poller.ts";

/** What the embedded database and the storage need done for them from time to time, and never in a hurry. */
export interface Housekeeping {
  database: () => Promise<void>;
  storage: () => Promise<void>;
}

/** The first tick waits a period: a start has better things to do. */
export function housekeeping({ database, storage }: Housekeeping, everyMs: number): Poller[] {
  return [
    { name: "database-maintenance", everyMs, firstMs: everyMs, tick: database },
    { name: "storage-sweep", everyMs, firstMs: everyMs, tick: storage },
  ];
}
