import { createHmac } from "node:crypto";
import type { V1Secret } from "@kubernetes/client-node";
import type { AppRelease } from "./app-release.ts";
import { appLabels } from "./metadata.ts";

/**
 * `<app>-env-<hash>`, or undefined when there are no variables. Who may read Deployments but not Secrets sees the name, and
 * a bare hash would let them try out values (`DEBUG=1`, a short password) at their leisure. Hence a keyed one; the key is
 * kept with the values, not taken from the server's, whose rotation would rename the Secret and roll every application.
 */
export function secretName({ app, env }: AppRelease): string | undefined {
  const entries = sorted(env.values);
  if (entries.length === 0) return undefined;
  if (!env.nameKey) throw new Error(`The variables of ${app} have no key to name their Secret with.`);
  const hash = createHmac("sha256", env.nameKey).update(JSON.stringify(entries)).digest("hex");
  return `${app}-env-${hash.slice(0, 12)}`;
}

/** The application's variables. Other ones get another Secret, so that an old release still finds its own. */
export function secret(release: AppRelease): V1Secret | undefined {
  const name = secretName(release);
  if (name === undefined) return undefined;
  const entries = sorted(release.env.values).map(([key, value]) => [key, Buffer.from(value).toString("base64")]);
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace: release.namespace, labels: appLabels(release) },
    type: "Opaque",
    immutable: true,
    data: Object.fromEntries(entries),
  };
}

const sorted = (values: Record<string, string>): [string, string][] =>
  Object.entries(values).sort(([one], [other]) => (one < other ? -1 : 1));
