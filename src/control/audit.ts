import type { Tx } from "../db/client.ts";
import { auditEvents } from "../db/schema.ts";
import type { Actor } from "./control.ts";

export interface Transition {
  subject: "artifact" | "deployment" | "app" | "token";
  id: string;
  /** Null for what belongs to no app. */
  appId: string | null;
  before: string | null;
  after: string;
  at: Date;
  detail?: Record<string, unknown>;
}

/** Writes one status transition, in the transaction that makes it. */
export async function recordTransition(tx: Tx, actor: Actor, transition: Transition): Promise<void> {
  await tx.insert(auditEvents).values({
    at: transition.at,
    actor: actor.name,
    action: `${transition.subject}.${transition.after}`,
    subjectType: transition.subject,
    subjectId: transition.id,
    appId: transition.appId,
    before: transition.before,
    after: transition.after,
    requestId: actor.requestId ?? null,
    detail: transition.detail ?? null,
  });
}
