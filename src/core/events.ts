/** What the feed and webhooks tell of; a transition that is not named here is in the audit only. */
export const eventTypes = [
  "app.created",
  "app.deleted",
  "app.env_changed",
  "app.scaled",
  "app.locked",
  "app.unlocked",
  "artifact.stored",
  "artifact.expired",
  "deployment.pending",
  "deployment.running",
  "deployment.failed",
  "deployment.superseded",
  "deployment.stopped",
] as const;
export type EventType = (typeof eventTypes)[number];

/** Whether a transition is told of. */
export const isEventType = (action: string): action is EventType => eventTypes.some((type) => type === action);

/** One change, as the feed and webhooks send it. */
export interface EventView {
  /** Its place in the feed: without gaps, and later ones are larger. */
  id: number;
  type: EventType;
  at: string;
  app: string | null;
  subject: { type: string; id: string };
  before: string | null;
  after: string | null;
  actor: string;
  request_id: string | null;
  detail: Record<string, unknown> | null;
}

/** What the audit can be searched for. */
export const auditActionPattern = /^[a-z_]{1,40}\.[a-z_]{1,40}$/;
export const auditSubjectPattern = /^[\w.:-]{1,128}$/;

/** One line of the audit. */
export interface AuditView extends Omit<EventView, "type"> {
  action: string;
}

/** What `isEventPattern` takes, as one pattern, for documents. */
export const eventPattern = `^(\\*|${[...new Set(eventTypes.map((type) => `${type.split(".")[0]}\\.\\*`)), ...eventTypes.map((type) => type.replace(".", "\\."))].join("|")})$`;

/** What a webhook may ask for: one type, all of one noun (`deployment.*`), or all (`*`). */
export function isEventPattern(pattern: string): boolean {
  if (pattern === "*" || isEventType(pattern)) return true;
  return pattern.endsWith(".*") && eventTypes.some((type) => type.startsWith(pattern.slice(0, -1)));
}

/** Whether one of `patterns` asks for `type`. */
export function wantsEvent(patterns: readonly string[], type: EventType): boolean {
  return patterns.some(
    (pattern) =>
      pattern === "*" || pattern === type || (pattern.endsWith(".*") && type.startsWith(pattern.slice(0, -1))),
  );
}

/** A receiver, without its secret. */
export interface WebhookView {
  id: string;
  url: string;
  events: string[];
  app: string | null;
  active: boolean;
  /** Since when it has taken nothing of what waits for it. */
  failing_since: string | null;
  /** Why it is not active any more. */
  disabled_reason: string | null;
  created_at: string;
  created_by: string;
}

/** One event on its way to a receiver. */
export interface DeliveryView {
  id: string;
  event_id: number;
  event: string;
  status: "pending" | "delivered" | "failed";
  attempts: number;
  next_attempt_at: string | null;
  last_status: number | null;
  last_error: string | null;
  created_at: string;
  delivered_at: string | null;
}
