import { type Digest, isDigest } from "../../core/digest.ts";
import { hotAnnotations } from "../../core/pod-hot.ts";
import type { AppRelease } from "../../k8s/builders/app-release.ts";
import { hotDigest, hotDigestManager } from "../../k8s/builders/hot-digest.ts";
import type { Cluster } from "../../k8s/cluster.ts";
import { isClusterError } from "../../k8s/cluster-error.ts";

/** What the Deployment says by now: ours, at its resourceVersion, or what somebody has annotated. */
export type ToldDigest = { resourceVersion: string | undefined } | { annotated: string };

/**
 * Tells the pods of a dev-hot release which digest to run. Unless it is a new digest, what somebody has annotated meanwhile stands:
 * that is for the control plane to adopt, and for nobody to take back.
 */
export async function tellDigest(
  cluster: Cluster,
  release: AppRelease,
  { isNew, signal }: { isNew: boolean; signal: AbortSignal },
): Promise<ToldDigest> {
  try {
    const { metadata } = await cluster.apply(hotDigest(release), { manager: hotDigestManager, force: isNew, signal });
    return { resourceVersion: metadata.resourceVersion };
  } catch (error) {
    if (!isClusterError(error, "conflict") || isNew) throw error;
    const live = await cluster.get({ kind: "Deployment", namespace: release.namespace, name: release.app }, signal);
    return { annotated: live?.metadata?.annotations?.[hotAnnotations.digest] ?? "" };
  }
}

/** The digest that an annotation names, `sha256:` before it or not; undefined for anything else. */
export function annotatedDigest(annotation: string): Digest | undefined {
  const digest = annotation.replace(/^sha256:/, "");
  return isDigest(digest) ? digest : undefined;
}
