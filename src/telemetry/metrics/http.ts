import { Counter, Histogram, type Registry } from "prom-client";

/** Requests by route template, never by the path that was asked for: that would name apps, and grow without end. */
export function createHttpMetrics(registers: Registry[]) {
  return {
    httpRequests: new Counter({
      name: "http_requests_total",
      help: "HTTP requests that were answered",
      labelNames: ["method", "path", "status", "outcome"] as const,
      registers,
    }),
    httpDuration: new Histogram({
      name: "http_request_duration_seconds",
      help: "Time to the answer of an HTTP request",
      labelNames: ["method", "path"] as const,
      buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 30],
      registers,
    }),
  };
}

export interface AnsweredRequest {
  method: string;
  /** The route's template. */
  path: string;
  status: number;
  seconds: number;
}

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Counts one request; a method that a client made up is `other`. */
export function countRequest(
  { httpRequests, httpDuration }: ReturnType<typeof createHttpMetrics>,
  { method: given, path, status, seconds }: AnsweredRequest,
): void {
  const method = methods.has(given) ? given : "other";
  const outcome = status >= 500 ? "server_error" : status >= 400 ? "client_error" : "ok";
  httpRequests.inc({ method, path, status: String(status), outcome });
  httpDuration.observe({ method, path }, seconds);
}
