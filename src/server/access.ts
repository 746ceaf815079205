import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { unknownApp } from "../control/apps.ts";
import type { Scope } from "../control/scope.ts";
import { parseAppName } from "../core/app-name.ts";
import { AetherError } from "../lib/errors.ts";
import type { Caller, ServerEnv } from "./context.ts";

// Who may do what. A foreign app answers as one that does not exist, and before the database is asked: neither body nor
// time tells them apart. The role is looked at first, so that what a role may never do is 403 for every app alike.

/** `name`, when the caller may read that app. */
export function readableApp(c: Context<ServerEnv>, name: string): string {
  const app = parseAppName(name);
  if (isInScope(c.var.caller, app)) return app;
  throw unknownApp(app);
}

/** `name`, when the caller may change that app: deploy, upload, create, its keys and its webhooks. Counts as a write. */
export function writableApp(c: Context<ServerEnv>, name: string): string {
  assertWriter(c.var.caller);
  const app = readableApp(c, name);
  c.var.countWrite(app);
  return app;
}

/** `name`, when the caller may change that app, for what changes nothing and may be asked many times a second. */
export function reachableApp(c: Context<ServerEnv>, name: string): string {
  assertWriter(c.var.caller);
  return readableApp(c, name);
}

/** What a list or a search may show, narrowed to `app` when one is named: hand it to the query. */
export function readScope(c: Context<ServerEnv>, app?: string): Scope {
  const { caller } = c.var;
  if (app === undefined) return caller.apps;
  return isInScope(caller, parseAppName(app)) ? [app] : [];
}

/** In a route's `middleware`: what speaks of all apps at once, and changes nothing, needs a token for all apps. */
export const allApps = createMiddleware<ServerEnv>(async function allApps(c, next) {
  assertAllApps(c.var.caller);
  await next();
});

/** Passes for a token that is for all apps. */
export function assertAllApps({ apps }: Caller): void {
  if (apps === undefined) return;
  throw new AetherError("forbidden", "This token is for some apps only.", { hint: "Use one that is for all apps." });
}

/** In a route's `middleware`: tokens, and what belongs to no app. */
export const adminOnly = createMiddleware<ServerEnv>(async function adminOnly(c, next) {
  assertAdmin(c.var.caller);
  await next();
});

/** For every route: what a reader sends may change nothing. A pod is let through where it may speak at all, to tell of itself. */
export const readersRead = createMiddleware<ServerEnv>(async function readersRead(c, next) {
  const isWrite = c.req.method !== "GET" && c.req.method !== "HEAD";
  if (isWrite && c.var.caller.runs !== "pod") assertWriter(c.var.caller);
  await next();
});

/** For what an answer leaves out: whether it is for an admin, whose token is for all apps. */
export const isAdmin = ({ role }: Caller): boolean => role === "admin";

/** Passes for the role admin only. */
export function assertAdmin(caller: Caller): void {
  if (isAdmin(caller)) return;
  throw new AetherError("forbidden", "This needs the role admin.", { hint: "Ask who runs this server." });
}

/** Passes for the roles that may change something. */
export function assertWriter({ role }: Caller): void {
  if (role !== "reader") return;
  throw new AetherError("forbidden", "This token may only read.", { hint: "Use one with the role deployer or admin." });
}

const isInScope = ({ apps }: Caller, app: string): boolean => apps === undefined || apps.includes(app);
