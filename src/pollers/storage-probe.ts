import type { Control } from "../control/control.ts";
import type { Poller } from "./poller.ts";

/** What the artifact storage was seen to refuse. */
export interface StorageProbe {
  refusesOtherBytes: boolean;
  refusesSecondPut: boolean;
}

/** Probes the storage once, again only while it cannot be asked; says what an operator must know of it. */
export function storageProbe({ log }: Control, probe: () => Promise<StorageProbe>, everyMs: number): Poller {
  let found: StorageProbe | undefined;
  return {
    name: "storage-probe",
    everyMs,
    async tick() {
      if (found !== undefined) return;
      found = await probe();
      log.info("probed the artifact storage", { ...found });
      if (!found.refusesOtherBytes) {
        log.warn("the artifact storage accepts bytes that do not match their signed checksum: every upload is hashed");
      }
      if (!found.refusesSecondPut) {
        log.warn("the artifact storage ignores if-none-match: while a signed URL is valid, it can replace its object");
      }
    },
  };
}
