import { randomBytes } from "node:crypto";
import { createMiddleware } from "hono/factory";
import type { ServerEnv } from "../context.ts";

const acceptable = /^[\w.:-]{1,128}$/;
const w3cTraceId = /^(?!0{32})[0-9a-f]{32}$/;
const traceparent = /^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?$/;

/**
 * Takes the caller's `X-Request-Id` and trace (`traceparent`, else `X-Trace-Id`) or makes them, and returns them with
 * every answer. What is not well-formed is replaced, never an error.
 */
export const trace = createMiddleware<ServerEnv>(async function trace(c, next) {
  const requestId = acceptableHeader(c.req.header("x-request-id")) ?? crypto.randomUUID();
  const parent = parseTraceparent(c.req.header("traceparent"));
  const traceId = parent?.traceId ?? acceptableHeader(c.req.header("x-trace-id")) ?? randomBytes(16).toString("hex");
  c.set("requestId", requestId);
  c.set("traceId", traceId);
  c.header("x-request-id", requestId);
  c.header("x-trace-id", traceId);
  if (w3cTraceId.test(traceId)) {
    c.header("traceparent", `00-${traceId}-${randomBytes(8).toString("hex")}-${parent?.flags ?? "00"}`);
  }
  await next();
});

/** The trace that a request belongs to, by W3C Trace Context; undefined when the header is none. */
export function parseTraceparent(header: string | undefined): { traceId: string; flags: string } | undefined {
  const [, version, traceId, flags, more] = traceparent.exec(header ?? "") ?? [];
  if (traceId === undefined || flags === undefined || (version === "00" && more !== undefined)) return undefined;
  return { traceId, flags: (Number.parseInt(flags, 16) & 1) === 1 ? "01" : "00" };
}

const acceptableHeader = (value: string | undefined): string | undefined =>
  value !== undefined && acceptable.test(value) ? value : undefined;
