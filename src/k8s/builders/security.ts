import type { V1PodSecurityContext, V1SecurityContext } from "@kubernetes/client-node";

/** The user `node` of the usual images; any image is run as this one. */
const user = 1000;

/** With `containerSecurity` it meets the Pod Security standard `restricted`. `fsGroup` makes the volumes the user's. */
export const podSecurity = (): V1PodSecurityContext => ({
  runAsNonRoot: true,
  runAsUser: user,
  runAsGroup: user,
  fsGroup: user,
  seccompProfile: { type: "RuntimeDefault" },
});

/** Applications and agent write to their volumes only, and never gain a right. */
export const containerSecurity = (): V1SecurityContext => ({
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  readOnlyRootFilesystem: true,
});
