import { shortDigest } from "../../core/digest.ts";
import { hotAnnotations } from "../../core/pod-hot.ts";
import type { AppRelease } from "./app-release.ts";

/** Says what a pod of an application is for. */
export const processLabel = "aether.dev/process";
/** A pod for one command, which no selector of ours matches. */
export const runProcess = "run";

/** What an application's Deployment, Service and budget select pods by: exactly these two, for ever. */
export const selector = ({ app }: AppRelease): Record<string, string> => ({ app, [processLabel]: "web" });

/** The labels of everything that an application keeps from release to release. */
export const appLabels = (release: AppRelease): Record<string, string> => ({
  ...selector(release),
  app_name: release.app,
  "aether.dev/app": release.app,
});

/** Those of what changes with each release. A label ends at 63 characters, so the digest is cut. */
export const releaseLabels = (release: AppRelease): Record<string, string> => ({
  ...appLabels(release),
  "aether.dev/digest": shortDigest(release.devHot?.base.digest ?? release.digest),
});

/** Which release this is, in full. By `aether.dev/deployment` a pod's fate is told of the right row. */
export const releaseAnnotations = (
  release: Pick<AppRelease, "digest" | "downloadUrl" | "deploymentId" | "version">,
): Record<string, string> => ({
  "aether.dev/digest": release.digest,
  "aether.dev/artifact-url": release.downloadUrl,
  "aether.dev/deployment": release.deploymentId,
  "aether.dev/version": String(release.version),
});

/** Of the pods: which release they were made with. */
export const templateAnnotations = (release: AppRelease): Record<string, string> =>
  releaseAnnotations(release.devHot?.base ?? release);

/** Of the Deployment itself. In dev-hot the digest is another manager's (`hot-digest.ts`), or a reload would be taken back. */
export function ownAnnotations(release: AppRelease): Record<string, string> {
  const { [hotAnnotations.digest]: digest = "", ...others } = releaseAnnotations(release);
  if (release.devHot) return { ...others, [hotAnnotations.devHot]: "true" };
  return { [hotAnnotations.digest]: digest, ...others };
}
