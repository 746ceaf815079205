import type { Tx } from "../db/client.ts";
import { recordTransition } from "./audit.ts";
import type { Actor, Control } from "./control.ts";
import type { Artifact } from "./uploads.ts";

/** The audit row of an artifact's transition. */
export async function recordArtifact(
  { metrics }: Control,
  tx: Tx,
  { actor, artifact, before, at }: { actor: Actor; artifact: Artifact; before: string | null; at: Date },
): Promise<void> {
  const { id, appId, status, digest } = artifact;
  await recordTransition(tx, actor, { subject: "artifact", id, appId, before, after: status, at, detail: { digest } });
  metrics.artifactEvents.inc();
}
