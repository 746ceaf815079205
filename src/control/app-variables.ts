import { asc, eq } from "drizzle-orm";
import type { Queryable } from "../db/client.ts";
import { appVariables } from "../db/schema.ts";
import type { Sealer } from "../lib/sealer.ts";
import { openSealed, type Variables } from "./release-variables.ts";

/** An app's variables as its next release gets them, by name. */
export async function readVariables(
  { db, secrets }: { db: Queryable; secrets: Sealer },
  appId: string,
): Promise<Variables> {
  const rows = await db
    .select({ name: appVariables.name, sealed: appVariables.valueSealed })
    .from(appVariables)
    .where(eq(appVariables.appId, appId))
    .orderBy(asc(appVariables.name));
  return Object.fromEntries(
    rows.map(({ name, sealed }) => [name, openSealed(secrets, sealed, variableContext(appId, name))]),
  );
}

/** What a variable's value is sealed for. */
export const variableContext = (appId: string, name: string): string => `variable ${appId} ${name}`;
