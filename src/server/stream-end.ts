import type { Context } from "hono";
import type { ServerEnv } from "./context.ts";

const askAgainMs = 2_000;

/** Why a stream must end. */
export type StreamEnding = "left" | "stopping" | "revoked";

/**
 * Aborts when a stream must end: its reader left, the server stops, or the token that opened it no longer works. `release`
 * is for a stream that ended by itself.
 */
export function streamEnd(
  c: Context<ServerEnv>,
  left: AbortSignal = c.req.raw.signal,
): { signal: AbortSignal; release: () => void; ending: () => StreamEnding } {
  const { stopping, isStillValid, control } = c.var;
  const revoked = new AbortController();
  const timer = isStillValid && setInterval(askAgain, askAgainMs, isStillValid);
  const release = () => clearInterval(timer);
  const signal = AbortSignal.any([left, stopping, revoked.signal]);
  signal.addEventListener("abort", release, { once: true });
  if (signal.aborted) release();
  const ending = () => (revoked.signal.aborted ? "revoked" : stopping.aborted ? "stopping" : "left");
  return { signal, release, ending };

  async function askAgain(isValid: () => Promise<boolean>): Promise<void> {
    try {
      if (!(await isValid())) revoked.abort();
    } catch (error) {
      // A database that is away ends no stream: who opened it was let in, and is asked after again.
      control.log.warn("the token of an open stream could not be looked up", { request_id: c.var.requestId, error });
    }
  }
}
