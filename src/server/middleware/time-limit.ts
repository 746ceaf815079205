import { createMiddleware } from "hono/factory";
import { AetherError } from "../../lib/errors.ts";
import type { ServerEnv } from "../context.ts";

export interface TimeLimits {
  /** Until the answer begins; what it then streams takes as long as it takes. */
  answerMs: number;
  /** The same where bytes are received or hashed, or an app is removed with all it has. */
  transferMs: number;
}

export const defaultTimeLimits: TimeLimits = { answerMs: 30_000, transferMs: 900_000 };

const transfers = new Set(["/artifacts", "/artifacts/complete", "/artifacts/multipart/complete"]);

/** Answers 503 for a handler that hangs. It is not stopped: what it does after all counts, and asking again is safe. */
export function timeLimit({ answerMs, transferMs }: TimeLimits) {
  return createMiddleware<ServerEnv>(async function timeLimit(c, next) {
    const isLong = takesLong(c.req.method, c.req.path);
    if (isLong) c.env.keepOpen?.(c.req.raw); // the listener closes what is silent for two minutes
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(tooSlow()), isLong ? transferMs : answerMs);
    try {
      await Promise.race([next(), late]);
    } finally {
      clearTimeout(timer);
    }
  });
}

function takesLong(method: string, path: string): boolean {
  return method === "DELETE" ? /^\/apps\/[^/]+$/.test(path) : method === "POST" && transfers.has(path);
}

const tooSlow = (): AetherError =>
  new AetherError("service_unavailable", "The server took too long for this.", {
    hint: "Try again in a moment; what was begun may still be done.",
  });
