import { AetherError } from "../lib/errors.ts";
import type { Control } from "./control.ts";

/** Refuses sizes that can never be stored. */
export function assertSize({ settings, metrics }: Control, sizeBytes: number | undefined): void {
  if (sizeBytes === undefined || sizeBytes <= settings.maxArtifactSizeBytes) return;
  metrics.sizeExceeded.inc();
  throw new AetherError(
    "size_exceeded",
    `The artifact has ${sizeBytes} bytes, and the limit is ${settings.maxArtifactSizeBytes}.`,
    {
      hint: "Leave files out with .aetherignore, or raise AETHER_MAX_ARTIFACT_SIZE_BYTES.",
    },
  );
}
