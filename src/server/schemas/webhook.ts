import { z } from "@hono/zod-openapi";
import type { Delivery, NamedWebhook } from "../../control/webhooks.ts";
import { type DeliveryView, eventPattern, type WebhookView } from "../../core/events.ts";
import { longestReceiver } from "../../core/receiver-address.ts";
import { appName, time } from "./fields.ts";

export const webhookParam = z.object({ id: z.string().openapi({ format: "uuid", param: { name: "id", in: "path" } }) });

export const newWebhook = z
  .object({
    // No "uri": names with letters beyond ASCII are as good, and become what DNS knows.
    url: z
      .string()
      .max(longestReceiver)
      .openapi({ pattern: "^https?://", description: "http or https, without user and password" }),
    secret: z.string().min(16).max(256).openapi({ description: "Signs each delivery; never shown again" }),
    events: z
      .array(z.string().openapi({ pattern: eventPattern }))
      .min(1)
      .max(50)
      .openapi({ description: "Types, such as deployment.failed; deployment.*; *" }),
    app: appName.optional().openapi({ description: "Only this app's events; absent: all" }),
  })
  .openapi("NewWebhook");

export const webhookView = z
  .object({
    id: z.uuid(),
    url: z.string(),
    events: z.array(z.string()),
    app: appName.nullable(),
    active: z.boolean(),
    failing_since: time.nullable(),
    disabled_reason: z.string().nullable(),
    created_at: time,
    created_by: z.string(),
  })
  .openapi("Webhook") satisfies z.ZodType<WebhookView>;

export const deliveryView = z
  .object({
    id: z.uuid(),
    event_id: z.number().int(),
    event: z.string(),
    status: z.enum(["pending", "delivered", "failed"]),
    attempts: z.number().int(),
    next_attempt_at: time.nullable(),
    last_status: z.number().int().nullable(),
    last_error: z.string().nullable(),
    created_at: time,
    delivered_at: time.nullable(),
  })
  .openapi("WebhookDelivery") satisfies z.ZodType<DeliveryView>;

/** A row as the API shows it: never its secret. */
export function toWebhookView({ app, webhook }: NamedWebhook): WebhookView {
  const { id, url, events, active, failingSince, disabledReason, createdAt, createdBy } = webhook;
  return {
    ...{ id, url, events, app, active },
    failing_since: failingSince?.toISOString() ?? null,
    disabled_reason: disabledReason,
    created_at: createdAt.toISOString(),
    created_by: createdBy,
  };
}

/** A row as the API shows it. */
export function toDeliveryView(delivery: Delivery): DeliveryView {
  return {
    id: delivery.id,
    event_id: delivery.eventId,
    event: delivery.event,
    status: delivery.status,
    attempts: delivery.attempts,
    next_attempt_at: delivery.status === "pending" ? delivery.nextAttemptAt.toISOString() : null,
    last_status: delivery.lastStatus,
    last_error: delivery.lastError,
    created_at: delivery.createdAt.toISOString(),
    delivered_at: delivery.deliveredAt?.toISOString() ?? null,
  };
}
