import type { Control } from "../control/control.ts";
import { createOrphanSweep } from "../control/orphan-objects.ts";
import type { Poller } from "./poller.ts";

/** Hands what nothing in the database stands for over to be removed from storage, a page at a time. */
export function orphanObjects(control: Control, everyMs: number): Poller {
  const sweep = createOrphanSweep(control);
  return {
    name: "orphan-objects",
    everyMs,
    firstMs: everyMs,
    async tick(signal) {
      const marked = await sweep(signal);
      if (marked > 0) control.log.info("found objects in storage that no artifact stands for", { marked });
    },
  };
}
