import { messageOf } from "../lib/errors.ts";
import type { Control } from "./control.ts";

/** A poller's way through many items, of which none may keep the others from being done. */
export interface Turn {
  /** Does `work` for each item; says how many it was done for. One that fails is logged under its name, and the next begins. */
  each<T>(
    items: T[],
    nameOf: (item: T) => Record<string, string>,
    work: (item: T) => Promise<boolean>,
  ): Promise<number>;
  /** Throws when any failed, so that the poller takes its time before the next turn. */
  end(): void;
}

/** Begins no further item once `signal` has aborted. */
export function startTurn({ log }: Pick<Control, "log">, signal?: AbortSignal): Turn {
  const failures: unknown[] = [];
  let tried = 0;
  return {
    async each(items, nameOf, work) {
      let done = 0;
      for (const item of items) {
        if (signal?.aborted) break;
        tried += 1;
        try {
          if (await work(item)) done += 1;
        } catch (error) {
          failures.push(error);
          log.error("one of many could not be done, the others go on", { ...nameOf(item), error });
        }
      }
      return done;
    },
    end() {
      if (failures.length === 0) return;
      const [cause] = failures;
      throw new Error(`${failures.length} of ${tried} could not be done, the first because: ${messageOf(cause)}`, {
        cause,
      });
    },
  };
}
