import type { V1Deployment } from "@kubernetes/client-node";
import { hotAnnotations } from "../../core/pod-hot.ts";
import type { AppRelease } from "./app-release.ts";

/** Owns the one field of `hotDigest`, and nothing else; it never changes. */
export const hotDigestManager = "aether-dev-hot";

/**
 * The digest that the pods of a dev-hot release shall run, on the Deployment's own metadata: a part of it, applied after the
 * Deployment and by a manager of its own. With `force` when a new digest is meant; without it when the release is applied
 * again, where a conflict says that somebody has annotated another one (`kubectl annotate`), which is his to decide.
 */
export const hotDigest = ({ app, namespace, digest }: AppRelease): V1Deployment => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: app, namespace, annotations: { [hotAnnotations.digest]: digest } },
});
