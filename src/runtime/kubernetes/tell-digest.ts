import type { AppRelease } from "../../k8s/builders/app-release.ts";
import { hotDigest, hotDigestManager } from "../../k8s/builders/hot-digest.ts";
import type { Cluster } from "../../k8s/cluster.ts";
import { isClusterError } from "../../k8s/cluster-error.ts";

/**
 * Tells the pods of a dev-hot release which digest to run, and answers the Deployment's resourceVersion by then. Unless it is a
 * new digest, what somebody has annotated meanwhile stands, and the answer is undefined: that is for the control plane to
 * adopt, and for nobody to take back.
 */
export async function tellDigest(
  cluster: Cluster,
  release: AppRelease,
  { isNew, signal }: { isNew: boolean; signal: AbortSignal },
): Promise<string | undefined> {
  try {
    const { metadata } = await cluster.apply(hotDigest(release), { manager: hotDigestManager, force: isNew, signal });
    return metadata.resourceVersion;
  } catch (error) {
    if (isClusterError(error, "conflict") && !isNew) return undefined;
    throw error;
  }
}
