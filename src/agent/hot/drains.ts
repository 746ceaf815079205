import { setTimeout as sleep } from "node:timers/promises";
import type { Forwarder } from "./forwarder.ts";
import type { Version } from "./version.ts";

/** As many versions of one application lie side by side as there are slots. */
export const slotNames = ["a", "b", "c", "d"] as const;

/** So many may drain: beside them are the one that serves and a free slot for the next. */
const mostDraining = slotNames.length - 2;

/** A connection without a request for so long may be closed; those that are in use have been asked to go by then. */
const calmForMs = 1_000;

/** The versions that have been replaced and still have something to do. */
export interface Drains {
  /** Lets it finish what it has begun, then ends it. */
  add(version: Version): void;
  /** Something changed in what a version has to do. */
  review(): void;
  folders(): string[];
  /** Ends them all, now. */
  end(): Promise<void>;
}

/**
 * A version leaves when it has ended its last connection, at its deadline at the latest; and before it when only idle
 * connections are left and a slot is needed: nobody shall wait with his next save for a browser that keeps one open.
 */
export function createDrains(forwarder: Forwarder, onChange: () => void): Drains {
  const leaving = new Map<Version, AbortController>();
  let nextReview: NodeJS.Timeout | undefined;

  function review(): void {
    clearTimeout(nextReview);
    const remaining = [...leaving].filter(([, hurry]) => !hurry.signal.aborted);
    const calm = remaining.filter(([{ link }]) => link.calmMs() >= calmForMs);
    const tooMany = remaining.length - mostDraining;
    if (tooMany <= 0) return;
    for (const [, hurry] of calm.slice(0, tooMany)) hurry.abort();
    if (calm.length < tooMany) nextReview = setTimeout(review, calmForMs / 4);
  }

  async function drain(version: Version, hurry: AbortSignal): Promise<void> {
    version.link.drain();
    const deadline = sleep(version.wanted.drainMs, undefined, { signal: hurry }).catch(() => undefined); // hurried: it ends
    await Promise.race([forwarder.emptied(version), version.exited, deadline]);
    await version.end();
    leaving.delete(version);
    onChange();
  }

  return {
    add(version) {
      const hurry = new AbortController();
      leaving.set(version, hurry);
      void drain(version, hurry.signal);
      review();
    },
    review,
    folders: () => [...leaving.keys()].map(({ wanted }) => wanted.folder),
    async end() {
      clearTimeout(nextReview);
      await Promise.all([...leaving.keys()].map((version) => version.end()));
    },
  };
}
