import type { Digest } from "../../core/digest.ts";
import { hotAnnotations } from "../../core/pod-hot.ts";
import { isNewer } from "../../k8s/reflected-store.ts";
import type { Applied } from "./apply-objects.ts";
import { isMarkedRemoved } from "./removal-mark.ts";
import type { WorldChange } from "./world.ts";

/**
 * What somebody did to an object of ours: `foreign` is that it holds another release, or that a server removed it; `annotated`
 * that the pods of a dev-hot release were told to run another digest.
 */
export type Drift = "repair" | "foreign" | "annotated" | undefined;

/** Whether an object is no longer as it was applied. Fields that we never set are nobody's drift but their owner's. */
export function driftOf(
  { kind, type, metadata }: WorldChange,
  { applied, deploymentId, hotDigest }: { applied: Applied[]; deploymentId: string; hotDigest?: Digest | undefined },
): Drift {
  const ours = applied.find((one) => one.kind === kind && one.name === metadata?.name);
  if (ours === undefined) return undefined;
  if (isMarkedRemoved(metadata)) return "foreign";
  if (type === "deleted") return metadata?.uid === ours.uid ? "repair" : undefined;
  if (metadata?.uid !== ours.uid) return "repair";
  const { generation = 0, resourceVersion = "", annotations = {} } = metadata ?? {};
  const isChanged =
    kind === "Deployment"
      ? generation > ours.generation || annotations["aether.dev/deployment"] !== deploymentId
      : isNewer(resourceVersion, ours.resourceVersion ?? "");
  if (!isNewer(resourceVersion, ours.resourceVersion ?? "")) return undefined; // from before we applied
  if (!isChanged) {
    const told = annotations[hotAnnotations.digest];
    if (kind !== "Deployment" || hotDigest === undefined || told === hotDigest) return undefined;
    return told === undefined ? "repair" : "annotated";
  }
  return kind === "Deployment" && annotations["aether.dev/deployment"] !== deploymentId ? "foreign" : "repair";
}
