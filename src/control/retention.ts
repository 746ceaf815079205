import { and, eq, sql } from "drizzle-orm";
import type { Queryable } from "../db/client.ts";
import { rowsOf } from "../db/rows.ts";
import { artifacts } from "../db/schema.ts";
import { lockApp } from "./app-lock.ts";
import { hasLapsed } from "./artifact-lease.ts";
import { recordArtifact } from "./artifact-record.ts";
import { claimExpired, hasBytesLeft, removeBytes } from "./byte-removal.ts";
import { type Control, system } from "./control.ts";
import { lockIfLive } from "./live-app.ts";
import { transact } from "./transactions.ts";
import { startTurn } from "./turn.ts";

/**
 * Removes stored artifacts beyond the newest of their app, or too old, and says how many. What runs, what waits to, and
 * what one could roll back to always stays.
 */
export async function retireArtifacts(control: Control, signal?: AbortSignal): Promise<number> {
  const turn = startTurn(control, signal);
  const candidates = await findRetirable(control, control.db);
  const retired = await turn.each(candidates, nameOf, (candidate) => retire(control, candidate));
  await turn.each(await findLeft(control), nameOf, (left) => removeLeft(control, left));
  turn.end();
  return retired;
}

const nameOf = ({ id }: { id: string }) => ({ artifact: id });

interface Candidate {
  id: string;
  appId: string;
}

/**
 * `stored → expired`. Decided again under the app's lock, which every deployment takes too: either the deployment comes
 * first, and the artifact stays, or it finds nothing stored. `expires_at` marks that bytes are left to be removed.
 */
function retire(control: Control, { id, appId }: Candidate): Promise<boolean> {
  return control.db.transaction(async (tx) => {
    await lockApp(tx, appId);
    const still = await findRetirable(control, tx, appId);
    if (!still.some((candidate) => candidate.id === id)) return false;
    const at = control.now();
    const [artifact] = await tx
      .update(artifacts)
      .set({ status: "expired", expiresAt: at })
      .where(and(eq(artifacts.id, id), eq(artifacts.status, "stored")))
      .returning();
    if (!artifact) return false;
    await recordArtifact(control, tx, { actor: system, artifact, before: "stored", at });
    return true;
  });
}

/** What is to be removed from storage; a removal that failed comes last, for each try moves `expires_at`. */
function findLeft({ db }: Control): Promise<Candidate[]> {
  const isFree = and(hasBytesLeft, hasLapsed());
  return db
    .select({ id: artifacts.id, appId: artifacts.appId })
    .from(artifacts)
    .where(isFree)
    .orderBy(artifacts.expiresAt)
    .limit(500);
}

/** After the commit, because a row without its bytes must never be `stored`; also what a server that died has left. */
async function removeLeft(control: Control, { id, appId }: Candidate): Promise<boolean> {
  const isLeft = and(eq(artifacts.id, id), hasBytesLeft);
  const claimed = await transact(control, async (tx) =>
    (await lockIfLive(tx, appId)) ? claimExpired(control, tx, isLeft) : undefined,
  );
  return claimed !== undefined && (await removeBytes(control, claimed));
}

/** Those that neither the newest, nor a deployment, nor a rollback holds; oldest first, of one app or of all. */
async function findRetirable(
  { settings, now }: Control,
  db: Queryable,
  appId: string | null = null,
): Promise<Candidate[]> {
  const result = await db.execute(sql`
    with kept as (
      select id as app_id, coalesce(retain_latest, ${settings.retainLatestPerApp}::int) as latest,
        -- no time lies much further back, and one app's number would stop the retention of all
        least(coalesce(retain_max_age_secs, ${settings.retainMaxAgeSecs ?? null}::bigint), 3000000000) as max_age
      from apps where ${appId}::uuid is null or id = ${appId}::uuid
    ), placed as (
      select a.id, a.app_id, a.completed_at, a.ran_version,
        row_number() over (partition by a.app_id order by a.completed_at desc, a.id desc) as place
      from artifacts a join kept using (app_id) where a.status = 'stored'
    ), beyond as materialized ( -- few, and what follows looks up each
      select p.id, p.app_id, p.completed_at, k.latest, greatest(p.ran_version, (
        -- a server of the release before this one writes what ran to the audit only
        select max(d.version) from deployments d
        where d.artifact_id = p.id and d.version > coalesce(p.ran_version, 0) and exists (select from audit_events e
          where e.subject_id = d.id::text and e.subject_type = 'deployment' and e.after = 'running')
      )) as ran
      from placed p join kept k using (app_id)
      where p.place > k.latest or p.completed_at < ${now().toISOString()}::timestamptz - k.max_age * interval '1 second'
    )
    select b.id, b.app_id as "appId" from beyond b
    where not exists (select from deployments d where d.artifact_id = b.id and d.status in ('pending', 'running'))
      -- one could roll back to it: fewer than so many others ran since
      and (b.ran is null or b.latest <= (select count(*) from (
        select from artifacts r where r.app_id = b.app_id and r.ran_version > b.ran limit b.latest) as newer))
    order by b.completed_at limit 500`);
  return rowsOf<Candidate>(result);
}
