import { AetherError } from "../lib/errors.ts";

/** How many listen in this process, and who: none of them may take the places of all. */
export interface ListenerPlaces {
  taken(): number;
  /** Takes a place and returns what gives it back; throws when all are taken, or all that `caller` may have. */
  take(caller: string): () => void;
}

const inAll = 1_000;
const perCaller = 100;

/** Places for listeners, counted for each caller. */
export function createListenerPlaces(): ListenerPlaces {
  const taken = new Map<string, number>();
  let total = 0;

  function add(caller: string, change: number): void {
    const count = (taken.get(caller) ?? 0) + change;
    total += change;
    if (count === 0) taken.delete(caller);
    else taken.set(caller, count);
  }

  return {
    taken: () => total,
    take(caller) {
      if ((taken.get(caller) ?? 0) >= perCaller) throw tooMany();
      if (total >= inAll) throw full();
      add(caller, 1);
      let isOpen = true;
      return () => {
        if (isOpen) add(caller, -1);
        isOpen = false;
      };
    },
  };
}

const tooMany = (): AetherError =>
  new AetherError("rate_limited", `This token listens on ${perCaller} connections of this server already.`, {
    hint: "Close one, or let one connection tell of several apps.",
    details: { retry_after_seconds: 10 },
  });

const full = (): AetherError =>
  new AetherError("service_unavailable", `${inAll} listeners are connected to this server already.`, {
    hint: "Try again later.",
  });
