/** How far the output of one container was taken, so that reading it again gives the rest: nothing twice, nothing left out. */
export interface LogPlace {
  /** Time of the newest line taken. */
  readonly newest: string | undefined;
  /** The run (`restartCount`) that the newest line is of, as far as it is known. */
  run: number | undefined;
  /** That run has ended, and was read to its end. */
  isWhole: boolean;
  /** From where on lines may be missing: a line may be written down after one that is a little newer. */
  readonly resumeAt: string | undefined;
  /** What is older was left out on purpose, as by a tail, and stays left out. */
  skipBefore(time: string): void;
  /** Begins to read again, from `newest` or before. */
  replay(): LogReplay;
}

export interface LogReplay {
  /** Whether a line of this time is new; it is taken then. */
  take(time: string): boolean;
  /** Whether a line was met that had been taken: where reading stopped is still kept. */
  readonly hasMet: boolean;
}

/**
 * A container's two outputs are written down by two hands, so that times go back by a little: for so long each line is
 * remembered, and what is older than that was taken.
 */
export const disorderMs = 100;

/** Nothing was taken yet. */
export function createLogPlace(): LogPlace {
  let skipped = "";
  let newest: string | undefined;
  /** How many lines of each time were taken lately. */
  const recent = new Map<string, number>();
  let horizon = "";

  function take(time: string): void {
    recent.set(time, (recent.get(time) ?? 0) + 1);
    if (newest !== undefined && time <= newest) return;
    const isSameMs = newest?.slice(0, msLength) === time.slice(0, msLength);
    newest = time;
    if (!isSameMs) forget();
  }

  function forget(): void {
    horizon = new Date(Date.parse(newest ?? "") - disorderMs).toISOString().slice(0, -1);
    for (const time of recent.keys()) {
      if (time >= horizon) return;
      recent.delete(time);
    }
  }

  return {
    get newest() {
      return newest;
    },
    get resumeAt() {
      return horizon ? `${horizon}Z` : undefined;
    },
    run: undefined,
    isWhole: false,
    skipBefore(time) {
      skipped = time;
    },
    replay() {
      const left = new Map(recent);
      const from = skipped > horizon ? skipped : horizon;
      let hasMet = newest === undefined;
      return {
        get hasMet() {
          return hasMet;
        },
        take(time) {
          const count = left.get(time) ?? 0;
          if (time >= from && count === 0) {
            take(time);
            return true;
          }
          if (count > 0) left.set(time, count - 1);
          hasMet = true;
          return false;
        },
      };
    },
  };
}

/** `2026-01-01T00:00:00.000` */
const msLength = 23;
