import type { createHarness } from "./control-plane.ts";

type Harness = Awaited<ReturnType<typeof createHarness>>;

/** A store that says nothing when it is told to do one of `calls`, until it is woken. */
export function silence(aether: Harness, ...calls: ("remove" | "abandon" | "list" | "listMultiparts")[]) {
  const asked = Promise.withResolvers<void>();
  const wake = Promise.withResolvers<void>();
  const { storage } = aether;
  const wait = async () => {
    asked.resolve();
    await wake.promise;
  };
  const silent: Partial<typeof storage> = {
    remove: (key) => wait().then(() => storage.remove(key)),
    abandon: (key) => wait().then(() => storage.abandon(key)),
    list: async function* (...args) {
      await wait();
      yield* storage.list(...args);
    },
    listMultiparts: async function* (prefix) {
      await wait();
      yield* storage.listMultiparts(prefix);
    },
  };
  aether.control.storage = { ...storage, ...Object.fromEntries(calls.map((call) => [call, silent[call]])) };
  return { asked: asked.promise, wake: () => wake.resolve() };
}
