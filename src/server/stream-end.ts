import type { Context } from "hono";
import type { ServerEnv } from "./context.ts";

const askAgainMs = 2_000;

/** Why a stream must end. */
export type StreamEnding = "left" | "stopping" | "revoked" | "removed";

export interface StreamEndOptions {
  /** Aborts when the reader left; without, the request's own signal tells. */
  left?: AbortSignal;
  /** Whether what the stream is about is still there. */
  isThere?: (() => Promise<boolean>) | undefined;
}

/**
 * Aborts when a stream must end: its reader left, the server stops, the token that opened it no longer works, or what it is
 * about was removed. `release` is for a stream that ended by itself.
 */
export function streamEnd(
  c: Context<ServerEnv>,
  { left = c.req.raw.signal, isThere }: StreamEndOptions = {},
): { signal: AbortSignal; release: () => void; ending: () => StreamEnding } {
  const { stopping, isStillValid, control } = c.var;
  const [revoked, removed] = [new AbortController(), new AbortController()];
  const timer = (isStillValid || isThere) && setInterval(askAgain, askAgainMs);
  const release = () => clearInterval(timer);
  const signal = AbortSignal.any([left, stopping, revoked.signal, removed.signal]);
  signal.addEventListener("abort", release, { once: true });
  if (signal.aborted) release();
  const ending = () => {
    if (revoked.signal.aborted) return "revoked";
    if (removed.signal.aborted) return "removed";
    return stopping.aborted ? "stopping" : "left";
  };
  return { signal, release, ending };

  async function askAgain(): Promise<void> {
    try {
      if (isStillValid && !(await isStillValid())) revoked.abort();
      if (isThere && !(await isThere())) removed.abort();
    } catch (error) {
      // A database that is away ends no stream: who opened it was let in, and is asked after again.
      control.log.warn("the token or the app of an open stream could not be looked up", {
        request_id: c.var.requestId,
        error,
      });
    }
  }
}
