import type { Control } from "../control/control.ts";
import { abortOrphanUploads } from "../control/orphan-uploads.ts";
import type { Poller } from "./poller.ts";

/** Aborts multipart uploads that nothing knows of. */
export function orphanUploads(control: Control, everyMs: number): Poller {
  return {
    name: "orphan-uploads",
    everyMs,
    firstMs: everyMs,
    async tick(signal) {
      const aborted = await abortOrphanUploads(control, signal);
      if (aborted > 0) control.log.info("aborted multipart uploads that no artifact names", { aborted });
    },
  };
}
