import { z } from "@hono/zod-openapi";
import type { AuditLine } from "../../control/audit.ts";
import { type AuditView, type EventView, eventTypes } from "../../core/events.ts";
import { appName, time } from "./fields.ts";

const fields = {
  at: time,
  app: appName.nullable(),
  subject: z.object({ type: z.string(), id: z.string() }),
  before: z.string().nullable(),
  after: z.string().nullable(),
  actor: z.string(),
  request_id: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()).nullable(),
};

export const eventView = z
  .object({ id: z.number().int(), type: z.enum(eventTypes), ...fields })
  .openapi("Event") satisfies z.ZodType<EventView>;

export const auditView = z
  .object({ id: z.number().int(), action: z.string(), ...fields })
  .openapi("AuditLine") satisfies z.ZodType<AuditView>;

/** A row as the API shows it. */
export function toAuditView(line: AuditLine): AuditView {
  return {
    id: line.id,
    action: line.action,
    at: line.at.toISOString(),
    app: line.app,
    subject: { type: line.subjectType, id: line.subjectId },
    before: line.before,
    after: line.after,
    actor: line.actor,
    request_id: line.requestId,
    detail: line.detail,
  };
}
