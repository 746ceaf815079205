import { followFile } from "./follow-file.ts";
import { readStatus } from "./read-status.ts";
import type { HotOutcome } from "./wish.ts";

/** What became of wish `seq`, once the supervisor says so at `path`; or that it says nothing. */
export function outcomeOf(
  seq: number,
  { path, withinMs, signal }: { path: string; withinMs: number; signal: AbortSignal },
): Promise<HotOutcome> {
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    const settle = (finish: () => void) => {
      over.abort();
      finish();
    };
    const limit = setTimeout(
      () => settle(() => reject(new Error(`the supervisor said nothing for ${withinMs / 1_000} s`))),
      withinMs,
    );
    const giveUp = () => settle(() => reject(signal.reason));
    const stopFollowing = followFile(path, () => {
      const outcome = readStatus(path)?.outcome;
      if (outcome?.seq === seq) settle(() => resolve(outcome));
    });
    const leave = () => {
      clearTimeout(limit);
      stopFollowing();
      signal.removeEventListener("abort", giveUp);
    };
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    if (over.signal.aborted) leave();
    else over.signal.addEventListener("abort", leave, { once: true });
  });
}
