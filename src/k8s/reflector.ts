import { setTimeout as sleep } from "node:timers/promises";
import type { Change, ObjectQuery, ReflectOptions, Reflector } from "./cluster.ts";
import { ClusterError, isClusterError } from "./cluster-error.ts";
import type { KindName, ObjectOf } from "./kinds.ts";
import { listPages } from "./list-objects.ts";
import { createStore, isNewer, type Versioned } from "./reflected-store.ts";
import type { Transport } from "./transport.ts";
import { watchObjects } from "./watch.ts";

export interface ReflectorPace {
  /** Between the end of a list and the next, whatever happens (KUBE-8). */
  listEveryMs: number;
  firstDelayMs: number;
  longestDelayMs: number;
}

const usualPace: ReflectorPace = { listEveryMs: 5_000, firstDelayMs: 200, longestDelayMs: 30_000 };

// The API server sends a bookmark about once a minute.
const usualSilenceMs = 150_000;

/** Lists, then watches from there, for ever: a broken watch goes on where it stopped, an expired one begins anew. */
export function createReflector<K extends KindName, Item>(
  transport: Transport,
  query: ObjectQuery<K>,
  options: ReflectOptions<ObjectOf<K>, Item> & { pace?: ReflectorPace },
): Reflector<Item> {
  const { onChange = () => {}, onTrouble = () => {}, silenceMs = usualSilenceMs, pace = usualPace } = options;
  const ended = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, ended.signal]) : ended.signal;
  const project = options.project ?? ((object: ObjectOf<K>) => object as unknown as Item);
  const store = createStore<ObjectOf<K> & Versioned, Item>(project);
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => {}); // who does not wait for it need not hear of its end
  let heardAt = 0;
  let listedAt = Number.NEGATIVE_INFINITY;
  let failures = 0;
  /** From where to watch; undefined: a list is due. */
  let place: string | undefined;
  /** The pages of the last list expired while they were read. */
  let isWhole = false;

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const wait = await listAndWatch().catch((error) => {
        if (signal.aborted) return 0;
        failures += 1;
        if (isClusterError(error, "expired")) place = undefined;
        onTrouble(error);
        return error instanceof ClusterError ? (error.retryAfterMs ?? 0) : 0;
      });
      if (failures > 0) await pause(Math.max(backOffMs(failures, pace), wait * (1 + Math.random() / 2)));
    }
    ready.reject(signal.reason);
  }

  /** Until the watch ends. */
  async function listAndWatch(): Promise<number> {
    const from = place ?? (await list());
    const before = heardAt;
    await watch(from);
    if (heardAt === before) failures += 1; // it ended without a word: that must not spin
    return 0;
  }

  async function list(): Promise<string> {
    await pause(listedAt + pace.listEveryMs - performance.now());
    const whole = store.beginList();
    let version = "";
    try {
      for await (const page of listPages(transport, query, { signal, isWhole, attempts: 1 })) {
        heardAt = Date.now();
        tell(whole.add(page.items));
        version = page.resourceVersion;
      }
      isWhole = false;
    } catch (error) {
      isWhole ||= isClusterError(error, "expired");
      throw error;
    } finally {
      listedAt = performance.now();
    }
    tell(whole.finish());
    place = version;
    ready.resolve();
    return version;
  }

  async function watch(resourceVersion: string): Promise<void> {
    const onHeard = () => {
      heardAt = Date.now();
    };
    for await (const event of watchObjects(transport, query, { resourceVersion, signal, silenceMs, onHeard })) {
      failures = 0;
      const { object } = event;
      if (event.type === "DELETED") tell(store.remove(object));
      else if (event.type !== "BOOKMARK") tell(store.set(object));
      const version = object.metadata?.resourceVersion;
      if (version && (place === undefined || isNewer(version, place))) place = version;
    }
  }

  function tell(changes: Change<Item>[]): void {
    for (const change of changes) {
      try {
        onChange(change);
      } catch (error) {
        onTrouble(error); // a bug of the listener's must not end what others read
      }
    }
  }

  const pause = (ms: number): Promise<void> =>
    ms <= 0 ? Promise.resolve() : sleep(ms, undefined, { signal }).catch(() => {}); // ended: the loops see it

  const running = run();

  async function stop(): Promise<void> {
    ended.abort(new DOMException("The reflector was stopped.", "AbortError"));
    await running;
  }

  return {
    ready: ready.promise,
    items: store.items,
    get: (name, namespace = query.namespace) => store.get(name, namespace),
    get heardAt() {
      return heardAt;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

const backOffMs = (failures: number, { firstDelayMs, longestDelayMs }: ReflectorPace): number =>
  Math.min(longestDelayMs, firstDelayMs * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
