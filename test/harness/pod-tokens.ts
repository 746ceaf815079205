import type { AgentReport } from "../../src/core/agent-report.ts";
import type { IdentifyPod } from "../../src/core/pod-identity.ts";
import { AetherError } from "../../src/lib/errors.ts";

/** What a pod of the app presents, as far as the server's side is concerned: the cluster says whose it is. */
export const podToken = (app: string): string => `token-of-a-pod-of-${app}`;

/** A pod's token while the cluster is away. */
export const unknowableToken = "token-of-nobody-knows-now";

/** Knows the pods' tokens of the apps `shop` and `other`. */
export const identifyPod: IdentifyPod = async (token) => {
  if (token === unknowableToken) throw new AetherError("service_unavailable", "The cluster is away.");
  const app = ["shop", "other"].find((one) => token === podToken(one));
  return app === undefined ? undefined : { app, pod: podName(app) };
};

/** What that pod says of a digest. */
export const reportOf = (app: string, more: Partial<AgentReport> = {}): AgentReport => ({
  pod: podName(app),
  digest: "ab".repeat(32),
  outcome: "ok",
  ms: 250,
  at: "2026-01-01T00:00:00.000Z",
  ...more,
});

const podName = (app: string): string => `${app}-5d4f-x2x`;
