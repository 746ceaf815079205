import type { V1ServiceAccount } from "@kubernetes/client-node";
import type { AppRelease } from "./app-release.ts";
import { appLabels } from "./metadata.ts";

/** At most 65 characters: an application's name has 50. */
export const serviceAccountName = ({ app, devHot }: AppRelease): string =>
  devHot === undefined ? `aether-app-${app}` : `aether-dev-hot-${app}`;

/** Who the application's pods are when they ask our server. It has no rights in the cluster, or those of `role.ts`. */
export function serviceAccount(release: AppRelease): V1ServiceAccount {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: serviceAccountName(release), namespace: release.namespace, labels: appLabels(release) },
    automountServiceAccountToken: false,
  };
}
