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
  return app === undefined ? undefined : { app, pod: `${app}-5d4f-x2x` };
};
