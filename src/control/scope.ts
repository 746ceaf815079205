import { inArray, type SQL } from "drizzle-orm";
import { apps } from "../db/schema.ts";

/** Names of the apps that a query may speak of; undefined is all of them. */
export type Scope = readonly string[] | undefined;

/** The condition that keeps a query, in which `apps` takes part, to the apps of a scope. An empty scope finds nothing. */
export function inScope(scope: Scope): SQL | undefined {
  return scope === undefined ? undefined : inArray(apps.name, [...scope]);
}
