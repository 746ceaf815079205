import { asDiskError, messageOf, systemCode } from "../../lib/errors.ts";
import { type CachedMember, evictMembers, openCacheFolder, readMember } from "./member-cache.ts";
import type { MemberPlan } from "./member-plan.ts";
import {
  isSettled,
  type KnownPlan,
  type PackMemory,
  readPackMemory,
  signatureOf,
  writePackMemory,
} from "./pack-memory.ts";

/** What earlier packs left: compressed members, and the memory of this tree. It makes packing fast, never different. */
export interface PackCache {
  /** Where members are; undefined when nothing is kept. */
  readonly folder: string | undefined;
  /** What is known of a plan none of whose files was touched. */
  find(plan: MemberPlan): KnownPlan | undefined;
  /** A member by its key. */
  member(key: string): Promise<CachedMember | undefined>;
  /** Keeps what this pack found, and the cache below its limit. */
  remember(plans: MemberPlan[], known: KnownPlan[]): void;
}

interface CacheOptions {
  folder: string | undefined;
  maxBytes: number;
  /** What tells this tree, and how it is packed, from others. */
  tree: string;
  startedAt: Date;
  warn(message: string): void;
}

/** Opens the cache; one that cannot be used is only worth a warning. */
export function openPackCache(options: CacheOptions): PackCache {
  const none: PackCache = {
    folder: undefined,
    find: () => undefined,
    member: async () => undefined,
    remember: () => {},
  };
  const { folder, maxBytes, tree, startedAt } = options;
  if (folder === undefined || !attempt(options, () => openCacheFolder(folder, startedAt))) return none;
  const memory = readPackMemory(folder, tree);
  const early = readEarly(folder, memory);
  const signatures = new Map<MemberPlan, string>();

  function signature(plan: MemberPlan): string {
    const found = signatures.get(plan) ?? signatureOf(plan);
    signatures.set(plan, found);
    return found;
  }

  function member(key: string): Promise<CachedMember | undefined> {
    const found = early.get(key) ?? readMember(folder ?? "", key);
    early.delete(key);
    return found;
  }

  function remember(plans: MemberPlan[], known: KnownPlan[]): void {
    attempt(options, () => {
      const settled = plans.flatMap((plan, index): [string, KnownPlan][] => {
        const [name, found] = [signature(plan), known[index]];
        const isSure = memory.has(name) || isSettled(plan, startedAt.getTime());
        return found !== undefined && isSure ? [[name, found]] : [];
      });
      if (settled.length !== memory.size || settled.some(([name]) => !memory.has(name))) {
        writePackMemory(folder ?? "", tree, new Map(settled));
      }
      evictMembers(folder ?? "", { used: known.flatMap(({ keys }) => keys), maxBytes, now: startedAt });
    });
  }

  return { folder, find: (plan) => memory.get(signature(plan)), member, remember };
}

const earlyBytes = 64 * 1024 * 1024;

/** Starts to read what the last pack used: the thread pool is idle while this thread walks the tree. */
function readEarly(folder: string, memory: PackMemory): Map<string, Promise<CachedMember | undefined>> {
  const early = new Map<string, Promise<CachedMember | undefined>>();
  let total = 0;
  for (const { keys, sizeBytes } of memory.values()) {
    total += sizeBytes;
    if (total > earlyBytes) break;
    for (const key of keys) early.set(key, readMember(folder, key));
  }
  return early;
}

function attempt({ folder = "", warn }: CacheOptions, work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    warn(`Packing goes on without a cache. ${messageOf(asDiskError(error, "use the cache", folder))}`);
    return false;
  }
}
