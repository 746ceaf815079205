import type { Change } from "./cluster.ts";

/** What every object of Kubernetes has, and what telling old from new needs. */
export interface Versioned {
  metadata?: {
    name?: string | undefined;
    namespace?: string | undefined;
    uid?: string | undefined;
    resourceVersion?: string | undefined;
  };
}

interface Entry<Item> {
  uid: string;
  version: string;
  item: Item;
}

/** Objects by place, changed by events in whatever order and however often they come, or by a whole new list. */
export interface ReflectedStore<T extends Versioned, Item> {
  set(object: T): Change<Item>[];
  remove(object: T): Change<Item>[];
  /** A list begins: feed it pages, then `finish`, which deletes what none of them held. */
  beginList(): { add(objects: T[]): Change<Item>[]; finish(): Change<Item>[] };
  items(): Item[];
  get(name: string, namespace?: string): Item | undefined;
}

// Events about these may still be under way; a uid never comes back.
const remembered = 1_000;

/** An empty store that keeps what `project` makes of each object. */
export function createStore<T extends Versioned, Item>(project: (object: T) => Item): ReflectedStore<T, Item> {
  const entries = new Map<string, Entry<Item>>();
  const gone = new Set<string>();

  function put(object: T): Change<Item>[] {
    const { key, uid, version } = identify(object);
    const before = entries.get(key);
    if (before?.uid === uid && before.version === version) return [];
    gone.delete(uid);
    const item = project(object);
    entries.set(key, { uid, version, item });
    if (!before) return [{ type: "added", object: item }];
    if (before.uid === uid) return [{ type: "changed", object: item, previous: before.item }];
    bury(before.uid); // removed and made anew while we did not look
    return [
      { type: "deleted", object: before.item },
      { type: "added", object: item },
    ];
  }

  function drop(key: string, entry: Entry<Item>): Change<Item> {
    entries.delete(key);
    bury(entry.uid);
    return { type: "deleted", object: entry.item };
  }

  function bury(uid: string): void {
    gone.add(uid);
    const [oldest] = gone;
    if (gone.size > remembered && oldest !== undefined) gone.delete(oldest);
  }

  return {
    set(object) {
      const { key, uid, version } = identify(object);
      const before = entries.get(key);
      if (gone.has(uid) || (before && !isNewer(version, before.version))) return [];
      return put(object);
    },
    remove(object) {
      const { key, uid } = identify(object);
      const before = entries.get(key);
      if (before?.uid === uid) return [drop(key, { ...before, item: project(object) })];
      bury(uid);
      return [];
    },
    beginList() {
      const seen = new Set<string>();
      return {
        add: (objects) =>
          objects.flatMap((object) => {
            seen.add(identify(object).key);
            return put(object);
          }),
        finish: () => [...entries].filter(([key]) => !seen.has(key)).map(([key, entry]) => drop(key, entry)),
      };
    },
    items: () => [...entries.values()].map((entry) => entry.item),
    get: (name, namespace) => entries.get(keyOf(name, namespace))?.item,
  };
}

function identify({ metadata }: Versioned): { key: string; uid: string; version: string } {
  const { name = "", namespace, uid = "", resourceVersion = "" } = metadata ?? {};
  return { key: keyOf(name, namespace), uid, version: resourceVersion };
}

const keyOf = (name: string, namespace: string | undefined): string => `${namespace ?? ""}/${name}`;

/** Whether a resourceVersion is after another: they are decimal numbers of any length; anything else counts as newer. */
export function isNewer(version: string, other: string): boolean {
  if (!/^\d+$/.test(version) || !/^\d+$/.test(other)) return version !== other;
  return BigInt(version) > BigInt(other);
}
