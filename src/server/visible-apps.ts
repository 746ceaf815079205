import type { Context } from "hono";
import { AetherError } from "../lib/errors.ts";
import type { ServerEnv } from "./context.ts";

/** The names of the apps that a caller may read; null is all, and what belongs to none. */
export function visibleApps(_c: Context<ServerEnv>): readonly string[] | null {
  return null;
}

/** `not_found` for an app that the caller may not read, as for one that does not exist. */
export function assertVisible(c: Context<ServerEnv>, app: string | undefined): void {
  const visible = visibleApps(c);
  if (app === undefined || visible === null || visible.includes(app)) return;
  throw new AetherError("not_found", `There is no app "${app}".`, { hint: "See aether list, or deploy it first." });
}

/** `forbidden` for what concerns all apps, unless the caller may read all. */
export function assertSeesAll(c: Context<ServerEnv>): void {
  if (visibleApps(c) === null) return;
  throw new AetherError("forbidden", "This token is for some apps only.", { hint: "Name one of them with app." });
}
