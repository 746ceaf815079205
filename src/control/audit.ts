import { and, desc, eq, gte, inArray, isNotNull, type SQL, sql } from "drizzle-orm";
import type { Queryable, Tx } from "../db/client.ts";
import { apps, auditEvents } from "../db/schema.ts";
import type { Actor, Control } from "./control.ts";
import type { Page } from "./page.ts";
import type { Scope } from "./scope.ts";

export interface Transition {
  subject: "artifact" | "deployment" | "app" | "token" | "key" | "webhook";
  id: string;
  /** Null for what belongs to no app. */
  appId: string | null;
  before: string | null;
  after: string;
  at: Date;
  detail?: Record<string, unknown>;
}

/** Writes one status transition, in the transaction that makes it. */
export function recordTransition(tx: Tx, actor: Actor, transition: Transition): Promise<void> {
  return recordTransitions(tx, actor, [transition]);
}

/** Several in their order, with one query. */
export async function recordTransitions(tx: Tx, actor: Actor, transitions: Transition[]): Promise<void> {
  if (transitions.length === 0) return;
  const rows = transitions.map((transition) => ({
    at: transition.at,
    actor: actor.name,
    action: `${transition.subject}.${transition.after}`,
    subjectType: transition.subject,
    subjectId: transition.id,
    appId: transition.appId,
    before: transition.before,
    after: transition.after,
    requestId: actor.requestId ?? null,
    detail: withAppName(transition),
  }));
  await tx.insert(auditEvents).values(rows);
}

/** A line of the audit, with the name that its app has or had. */
export type AuditLine = typeof auditEvents.$inferSelect & { app: string | null };

export interface AuditFilter {
  app?: string | undefined;
  /** Id of what was changed. */
  subject?: string | undefined;
  action?: string | undefined;
  since?: Date | undefined;
  /** Leaves out what belongs to no app: who made which token is for admins. */
  appsOnly?: boolean;
}

/** The audit, newest first; what belongs to no app is in no narrower scope than all. */
export async function listAudit({ db }: Control, filter: AuditFilter & Page, scope: Scope): Promise<AuditLine[]> {
  return readAudit(db)
    .where(
      and(
        filter.appsOnly ? isNotNull(auditEvents.appId) : undefined,
        filter.app === undefined ? undefined : ofApps([filter.app]),
        scope === undefined ? undefined : ofApps(scope),
        filter.subject === undefined ? undefined : eq(auditEvents.subjectId, filter.subject),
        filter.action === undefined ? undefined : eq(auditEvents.action, filter.action),
        filter.since === undefined ? undefined : gte(auditEvents.at, filter.since),
      ),
    )
    .orderBy(desc(auditEvents.id))
    .limit(filter.limit)
    .offset(filter.offset)
    .then((rows) => rows.map(toLine));
}

/** Lines with their app's name, for a caller to narrow. */
export function readAudit(db: Queryable) {
  return db
    .select({ line: auditEvents, name: apps.name })
    .from(auditEvents)
    .leftJoin(apps, eq(apps.id, auditEvents.appId))
    .$dynamic();
}

/** What `readAudit` found, without the name that the audit keeps for itself. */
export function toLine({ line, name }: { line: typeof auditEvents.$inferSelect; name: string | null }): AuditLine {
  const { app, ...detail } = line.detail ?? {};
  return {
    ...line,
    app: typeof app === "string" ? app : name,
    detail: Object.keys(detail).length > 0 ? detail : null,
  };
}

// The audit outlives the app, whose name is therefore written down beside what is told of it.
function withAppName({ appId, detail = {} }: Transition): SQL {
  const name = sql`(select ${apps.name} from ${apps} where ${apps.id} = ${appId})`;
  return sql`jsonb_strip_nulls(jsonb_build_object('app', ${name})) || ${JSON.stringify(detail)}::jsonb`;
}

// By the name that each line keeps, as the index has it: also of an app that is gone, or that has its name again.
function ofApps(names: readonly string[]): SQL {
  if (names.length === 0) return sql`false`;
  return inArray(sql`${auditEvents.detail} ->> 'app'`, [...names]);
}
