import { randomUUID } from "node:crypto";
import { and, asc, count, desc, eq } from "drizzle-orm";
import { isEventPattern } from "../core/events.ts";
import { receiverProblem } from "../core/receiver-address.ts";
import { apps, webhookDeliveries, webhooks } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { isUuid } from "../lib/uuid.ts";
import { getApp } from "./apps.ts";
import type { Actor, Control } from "./control.ts";
import type { Page } from "./page.ts";
import type { Scope } from "./scope.ts";

export type Webhook = typeof webhooks.$inferSelect;
export type Delivery = typeof webhookDeliveries.$inferSelect;

export interface NamedWebhook {
  app: string | null;
  webhook: Webhook;
}

export interface NewWebhook {
  url: string;
  secret: string;
  events: string[];
  /** Absent: events of all apps, and of none. */
  app?: string | undefined;
}

const maxWebhooks = 500;

/** Registers a receiver; its secret is sealed and never shown again. */
export async function createWebhook(control: Control, wanted: NewWebhook, actor: Actor): Promise<NamedWebhook> {
  const { db, now, secrets, settings } = control;
  const app = wanted.app === undefined ? undefined : await getApp(db, wanted.app);
  const problem = receiverProblem(wanted.url, { allowPrivate: settings.webhookAllowPrivate });
  if (problem !== undefined) throw badUrl(problem);
  assertPatterns(wanted.events);
  const [existing] = await db.select({ count: count() }).from(webhooks);
  if ((existing?.count ?? 0) >= maxWebhooks) {
    throw new AetherError("conflict", `There are ${maxWebhooks} webhooks already.`, { hint: "Remove one first." });
  }
  await control.events.advance(); // what happened before is not for it
  const id = randomUUID();
  const [webhook] = await db
    .insert(webhooks)
    .values({
      id,
      url: new URL(wanted.url).href,
      secret: secrets.seal(wanted.secret, secretContext(id)),
      events: [...new Set(wanted.events)],
      appId: app?.id ?? null,
      createdAt: now(),
      createdBy: actor.name,
    })
    .returning();
  if (!webhook) throw new Error("the insert of a webhook returned no row");
  return { app: app?.name ?? null, webhook };
}

/** The receivers of a scope, oldest first. */
export async function listWebhooks({ db }: Control, scope: Scope, { limit, offset }: Page): Promise<NamedWebhook[]> {
  const rows = await db
    .select({ app: apps.name, webhook: webhooks })
    .from(webhooks)
    .leftJoin(apps, eq(apps.id, webhooks.appId))
    .orderBy(asc(webhooks.createdAt), asc(webhooks.id));
  return rows.filter((row) => isInScope(row, scope)).slice(offset, offset + limit);
}

/** One receiver, or `not_found`: also when it is another's. */
export async function getWebhook({ db }: Control, id: string, scope: Scope): Promise<NamedWebhook> {
  const [found] = isUuid(id)
    ? await db
        .select({ app: apps.name, webhook: webhooks })
        .from(webhooks)
        .leftJoin(apps, eq(apps.id, webhooks.appId))
        .where(eq(webhooks.id, id))
    : [];
  if (found && isInScope(found, scope)) return found;
  throw new AetherError("not_found", `There is no webhook "${id}".`, { hint: "See aether webhooks list." });
}

/** Removes a receiver with what was still to be sent to it. */
export async function removeWebhook(control: Control, id: string, scope: Scope): Promise<void> {
  const { webhook } = await getWebhook(control, id, scope);
  await control.db.delete(webhooks).where(eq(webhooks.id, webhook.id));
}

/** What was and will be sent to a receiver, newest first. */
export async function listDeliveries(
  control: Control,
  id: string,
  { scope, limit, offset }: Page & { scope: Scope },
): Promise<Delivery[]> {
  const { webhook } = await getWebhook(control, id, scope);
  return control.db
    .select()
    .from(webhookDeliveries)
    .where(and(eq(webhookDeliveries.webhookId, webhook.id)))
    .orderBy(desc(webhookDeliveries.eventId))
    .limit(limit)
    .offset(offset);
}

/** What a webhook's secret is sealed for. */
export const secretContext = (id: string): string => `webhook ${id}`;

// One for all apps is seen by those who may see all.
const isInScope = ({ app }: NamedWebhook, scope: Scope): boolean =>
  scope === undefined || (app !== null && scope.includes(app));

function assertPatterns(patterns: string[]): void {
  const unknown = patterns.find((pattern) => !isEventPattern(pattern));
  if (unknown === undefined) return;
  throw new AetherError("bad_request", `There is no event "${unknown}".`, {
    hint: "Ask for one such as deployment.failed, for deployment.*, or for *; /docs/events names all.",
  });
}

function badUrl(problem: string): AetherError {
  return new AetherError("bad_request", `The webhook's URL cannot be used: ${problem}.`, {
    hint: "Private addresses are allowed by AETHER_WEBHOOK_ALLOW_PRIVATE=1; link-local and metadata addresses never are.",
  });
}
