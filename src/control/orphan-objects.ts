import { randomUUID } from "node:crypto";
import { and, eq, inArray, sql } from "drizzle-orm";
import type { Digest } from "../core/digest.ts";
import { apps, artifacts, auditEvents } from "../db/schema.ts";
import { partsOfKey } from "../storage/storage.ts";
import { recordTransition } from "./audit.ts";
import { type Control, system } from "./control.ts";
import { freeRemoval } from "./removal-lease.ts";
import { transact } from "./transactions.ts";
import { startTurn } from "./turn.ts";

/** Looks through a part of the storage; says how many objects it handed over to be removed. */
export type OrphanSweep = (signal?: AbortSignal) => Promise<number>;

/** What one turn looks at; the next goes on behind it. */
const objectsPerTurn = 1000;
/** Beyond the time of a URL, for clocks that differ and for uploads that take their time. */
const marginMs = 3_600_000;

/**
 * Finds what lies in storage and that no upload or artifact of the database stands for: marks of uploads that were given
 * up, and bytes that a URL stored after its app was removed. The sweep itself removes nothing: it makes rows that say so,
 * and whoever holds those removes, so that no new upload loses its bytes. Only what the audit knows is touched: what
 * others keep in the bucket, or an older copy of this database did not know of yet, stays.
 */
export function createOrphanSweep(control: Control): OrphanSweep {
  let after: string | undefined;
  return async (signal) => {
    const page = await readPage(control, after);
    const orphans = await findOrphans(control, page.old);
    const turn = startTurn(control, signal);
    const marked = await turn.each(
      orphans,
      ({ key }) => ({ key }),
      (orphan) => handOver(control, orphan),
    );
    after = signal?.aborted ? after : page.last;
    turn.end();
    return marked;
  };
}

interface Place {
  key: string;
  app: string;
  digest: Digest;
}

/** The next objects that are too old to be under way, and where to go on; nowhere at the end. */
async function readPage({ storage, settings, now }: Control, after: string | undefined) {
  const before = now().getTime() - settings.presignExpireSeconds * 1000 - marginMs;
  const old: Place[] = [];
  let seen = 0;
  let last: string | undefined;
  for await (const { key, modifiedAt } of storage.list("artifacts/", { after, withMarks: true })) {
    const parts = partsOfKey(key);
    if (parts && modifiedAt.getTime() < before) old.push({ key, ...parts });
    seen += 1;
    last = key;
    if (seen === objectsPerTurn) return { old, last };
  }
  return { old, last: undefined };
}

/** Those without a row that stands for them. */
async function findOrphans({ db }: Control, places: Place[]): Promise<Place[]> {
  if (places.length === 0) return [];
  const digests = places.map(({ digest }) => digest);
  const rows = await db
    .select({ key: artifacts.storageKey })
    .from(artifacts)
    .where(and(inArray(artifacts.digest, digests), sql`not (${isClean})`));
  const known = new Set(rows.map(({ key }) => key));
  const strays = places.filter(({ key }) => !known.has(key));
  if (strays.length === 0) return [];
  const told = await db
    .selectDistinct({ app: sql<string>`detail ->> 'app'`, digest: sql<string>`detail ->> 'digest'` })
    .from(auditEvents)
    .where(and(eq(auditEvents.subjectType, "artifact"), inArray(sql`detail ->> 'digest'`, digests)));
  const ours = new Set(told.map(({ app, digest }) => `${app} ${digest}`));
  return strays.filter(({ app, digest }) => ours.has(`${app} ${digest}`));
}

/** An expired row of which storage should hold nothing. */
const isClean = sql`${artifacts.status} = 'expired' and ${artifacts.expiresAt} is null`;

/** Makes the row by which the object is removed: its artifact's, else its app's. False when an upload came first. */
function handOver(control: Control, { key, app: name, digest }: Place): Promise<boolean> {
  return transact(control, async (tx) => {
    const at = control.now();
    const [app] = await tx.select().from(apps).where(eq(apps.name, name)).for("update");
    if (app && app.deletingAt !== null) return false;
    if (app) {
      const left = { status: "expired", expiresAt: at } as const;
      const marked = await tx
        .insert(artifacts)
        .values({ id: randomUUID(), appId: app.id, digest, storageKey: key, createdAt: at, ...left })
        .onConflictDoUpdate({ target: [artifacts.appId, artifacts.digest], set: left, setWhere: isClean })
        .returning({ id: artifacts.id });
      return marked.length === 1;
    }
    const [gone] = await tx
      .insert(apps)
      .values({ id: randomUUID(), name, createdAt: at, deletingAt: freeRemoval })
      .onConflictDoNothing()
      .returning();
    if (!gone) return false;
    const change = { before: null, after: "deleting", at, detail: { name } };
    await recordTransition(tx, system, { subject: "app", id: gone.id, appId: gone.id, ...change });
    return true;
  });
}
