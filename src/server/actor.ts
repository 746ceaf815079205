import type { Context } from "hono";
import type { Actor } from "../control/control.ts";
import type { ServerEnv } from "./context.ts";

/** Who the audit will name for this request. */
export function actorOf(c: Context<ServerEnv>): Actor {
  return { name: c.var.caller.name, requestId: c.var.requestId };
}
