/** Wakes whoever waits for the next change. */
export interface Notifier {
  notify(): void;
  /** Take it before you look: a change in between is not missed. */
  next(): Promise<void>;
}

/** A notifier for any number of listeners. */
export function createNotifier(): Notifier {
  let waiting = Promise.withResolvers<void>();
  return {
    notify() {
      const { resolve } = waiting;
      waiting = Promise.withResolvers();
      resolve();
    },
    next: () => waiting.promise,
  };
}
