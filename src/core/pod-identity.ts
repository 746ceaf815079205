/** A pod of an application, as whoever made its token says. */
export interface PodIdentity {
  app: string;
  /** Its name, where the token is bound to a pod. */
  pod?: string | undefined;
}

/** Whose a bearer token is, or undefined when it is no pod's; `service_unavailable` when that cannot be found out now. */
export type IdentifyPod = (token: string) => Promise<PodIdentity | undefined>;

/** What the names of applications' ServiceAccounts begin with: the rest is the app. */
const accountPrefixes = ["aether-app-", "aether-dev-hot-"];

/** The app that a ServiceAccount of this name is for, if any. */
export function appOfServiceAccount(name: string): string | undefined {
  const prefix = accountPrefixes.find((one) => name.startsWith(one));
  return prefix === undefined ? undefined : name.slice(prefix.length);
}
