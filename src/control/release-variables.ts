import { eq } from "drizzle-orm";
import type { Queryable } from "../db/client.ts";
import { deployments } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import type { Sealer } from "../lib/sealer.ts";

/** Environment variables by name. */
export type Variables = Record<string, string>;

/** The variables that a release pins, as its row keeps them; null when there are none. */
export function sealReleaseVariables(secrets: Sealer, deploymentId: string, variables: Variables): string | null {
  if (Object.keys(variables).length === 0) return null;
  return secrets.seal(JSON.stringify(variables), contextOf(deploymentId));
}

/** The variables that a release was made with. */
export async function openReleaseVariables(
  { db, secrets }: { db: Queryable; secrets: Sealer },
  deploymentId: string,
): Promise<Variables> {
  const [row] = await db
    .select({ sealed: deployments.envSealed })
    .from(deployments)
    .where(eq(deployments.id, deploymentId));
  return row?.sealed ? JSON.parse(openSealed(secrets, row.sealed, contextOf(deploymentId))) : {};
}

/** What was sealed for `context`; a failure that a person can act on when this server's keys did not seal it. */
export function openSealed(secrets: Sealer, sealed: string, context: string): string {
  try {
    return secrets.open(sealed, context);
  } catch (cause) {
    throw new AetherError("service_unavailable", "The app's variables cannot be opened with this server's keys.", {
      cause,
      hint: "Start the server with the AETHER_SECRETS_KEY that sealed them, or with it as AETHER_SECRETS_KEY_PREVIOUS.",
    });
  }
}

/** Whether two releases get the same. */
export const haveSameVariables = (a: Variables, b: Variables): boolean => changedNames(a, b).length === 0;

/** The names of what is set, unset or otherwise in `after`, sorted. */
export function changedNames(before: Variables, after: Variables): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => before[name] !== after[name]).sort();
}

const contextOf = (deploymentId: string): string => `variables of deployment ${deploymentId}`;
