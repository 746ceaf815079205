import { randomUUID } from "node:crypto";
import { and, asc, count, desc, eq, isNotNull, isNull, type SQL, sql } from "drizzle-orm";
import { isEventPattern } from "../core/events.ts";
import { receiverProblem } from "../core/receiver-address.ts";
import type { Queryable, Tx } from "../db/client.ts";
import { apps, webhookDeliveries, webhooks } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { isUuid } from "../lib/uuid.ts";
import { lockAppNamed } from "./app-lock.ts";
import type { App } from "./apps.ts";
import { recordTransition } from "./audit.ts";
import type { Actor, Control } from "./control.ts";
import { assertLive } from "./live-app.ts";
import type { Page } from "./page.ts";
import { inScope, type Scope } from "./scope.ts";

export type Webhook = typeof webhooks.$inferSelect;
export type Delivery = typeof webhookDeliveries.$inferSelect;

export interface NamedWebhook {
  app: string | null;
  webhook: Webhook;
}

/** Which receivers a caller may see and remove. */
export interface WebhookScope {
  scope: Scope;
  /** Leaves out those for all apps: they are for admins. */
  appsOnly: boolean;
}

export interface NewWebhook {
  url: string;
  secret: string;
  events: string[];
  /** Absent: events of all apps, and of none. */
  app?: string | undefined;
}

/** What one tenant may have; those for all apps are the admins' own affair. */
const maxPerApp = 20;
const maxForAllApps = 100;
const maxWebhooks = 10_000;

/** Registers a receiver; its secret is sealed and never shown again. */
export async function createWebhook(control: Control, wanted: NewWebhook, actor: Actor): Promise<NamedWebhook> {
  const { db, now, secrets, settings } = control;
  const problem = receiverProblem(wanted.url, { allowPrivate: settings.webhookAllowPrivate });
  if (problem !== undefined) throw badUrl(problem);
  assertPatterns(wanted.events);
  await control.events.advance(); // what happened before is not for it
  return db.transaction(async (tx) => {
    const app = wanted.app === undefined ? undefined : assertLive(await lockAppNamed(tx, wanted.app));
    await assertRoom(tx, app);
    const id = randomUUID();
    const row = {
      id,
      url: new URL(wanted.url).href,
      secret: secrets.seal(wanted.secret, secretContext(id)),
      events: [...new Set(wanted.events)],
      appId: app?.id ?? null,
      createdAt: now(),
      createdBy: actor.name,
    };
    const [webhook] = await tx.insert(webhooks).values(row).returning();
    if (!webhook) throw new Error("the insert of a webhook returned no row");
    await record(tx, actor, webhook, { before: null, after: "created", at: row.createdAt });
    return { app: app?.name ?? null, webhook };
  });
}

/** The receivers that a caller may see, oldest first. */
export function listWebhooks(
  { db }: Control,
  { scope, appsOnly, limit, offset }: WebhookScope & Page,
): Promise<NamedWebhook[]> {
  return readWebhooks(db)
    .where(isVisible({ scope, appsOnly }))
    .orderBy(asc(webhooks.createdAt), asc(webhooks.id))
    .limit(limit)
    .offset(offset);
}

/** One receiver, or `not_found`: also when it is another's. */
export async function getWebhook({ db }: Control, id: string, by: WebhookScope): Promise<NamedWebhook> {
  const [found] = isUuid(id) ? await readWebhooks(db).where(and(eq(webhooks.id, id), isVisible(by))) : [];
  if (found) return found;
  throw new AetherError("not_found", `There is no webhook "${id}".`, { hint: "See aether webhooks list." });
}

/** Removes a receiver with what was still to be sent to it. */
export async function removeWebhook(control: Control, id: string, by: WebhookScope & { actor: Actor }): Promise<void> {
  const { webhook } = await getWebhook(control, id, by);
  await control.db.transaction(async (tx) => {
    const [removed] = await tx.delete(webhooks).where(eq(webhooks.id, webhook.id)).returning();
    if (!removed) return; // another request was faster
    await record(tx, by.actor, removed, { before: "created", after: "removed", at: control.now() });
  });
}

/** What was and will be sent to a receiver, newest first. */
export async function listDeliveries(
  control: Control,
  id: string,
  { limit, offset, ...by }: WebhookScope & Page,
): Promise<Delivery[]> {
  const { webhook } = await getWebhook(control, id, by);
  return control.db
    .select()
    .from(webhookDeliveries)
    .where(eq(webhookDeliveries.webhookId, webhook.id))
    .orderBy(desc(webhookDeliveries.eventId))
    .limit(limit)
    .offset(offset);
}

/** What a webhook's secret is sealed for. */
export const secretContext = (id: string): string => `webhook ${id}`;

function readWebhooks(db: Queryable) {
  return db
    .select({ app: apps.name, webhook: webhooks })
    .from(webhooks)
    .leftJoin(apps, eq(apps.id, webhooks.appId))
    .$dynamic();
}

// A scope of some apps finds no name for one that is for all of them.
function isVisible({ scope, appsOnly }: WebhookScope): SQL | undefined {
  return and(inScope(scope), appsOnly ? isNotNull(webhooks.appId) : undefined);
}

// Exact for an app, whose row is locked; the others are made seldom, and one too many does no harm.
async function assertRoom(tx: Tx, app: App | undefined): Promise<void> {
  const own = app === undefined ? isNull(webhooks.appId) : eq(webhooks.appId, app.id);
  const most = app === undefined ? maxForAllApps : maxPerApp;
  const counted = await tx
    .select({ all: count(), own: sql<number>`count(*) filter (where ${own})`.mapWith(Number) })
    .from(webhooks);
  const { all, own: ofThis } = counted[0] ?? { all: 0, own: 0 };
  const hint = "Remove one that is not used any more: aether webhooks remove.";
  if (ofThis >= most) {
    const whose =
      app === undefined ? `There are ${most} webhooks for all apps` : `The app "${app.name}" has ${most} webhooks`;
    throw new AetherError("quota_exceeded", `${whose}, the most there can be.`, { hint });
  }
  if (all < maxWebhooks) return;
  throw new AetherError("service_unavailable", `This server has ${maxWebhooks} webhooks, the most there can be.`, {
    hint: "Ask who runs this server.",
  });
}

// A URL's path may be a secret, as chat services have it; the audit keeps no more than where it leads.
function record(
  tx: Tx,
  actor: Actor,
  { id, appId, url, events }: Webhook,
  change: { before: string | null; after: string; at: Date },
): Promise<void> {
  const detail = { receiver: new URL(url).origin, events };
  return recordTransition(tx, actor, { subject: "webhook", id, appId, ...change, detail });
}

function assertPatterns(patterns: string[]): void {
  const unknown = patterns.find((pattern) => !isEventPattern(pattern));
  if (unknown === undefined) return;
  throw new AetherError("bad_request", `There is no event "${unknown}".`, {
    hint: "Ask for one such as deployment.failed, for deployment.*, or for *; /docs/events names all.",
  });
}

function badUrl(problem: string): AetherError {
  return new AetherError("bad_request", `The webhook's URL cannot be used: ${problem}.`, {
    hint: problem.endsWith("is a private address")
      ? "Whoever runs the server can allow private addresses with AETHER_WEBHOOK_ALLOW_PRIVATE=1."
      : "Use one such as https://ci.example.com/hook; link-local and metadata addresses are never allowed.",
  });
}
