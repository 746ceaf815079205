import { cors } from "hono/cors";
import { createMiddleware } from "hono/factory";
import { secureHeaders } from "hono/secure-headers";
import type { ServerEnv } from "../context.ts";

/**
 * What browsers may do with our answers: nothing is framed, guessed or loaded from elsewhere, and no script in a page runs.
 * HTTPS ends at a proxy before us, and its promise (HSTS) would bind applications under the same name: it is the proxy's.
 */
export const securityHeaders = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"], // the page that tries the API out
    connectSrc: ["'self'"],
    styleSrc: ["'self'", "'unsafe-inline'"], // the pages of /docs carry their own
    imgSrc: ["'self'", "data:"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  },
  xFrameOptions: "DENY",
  strictTransportSecurity: false,
});

/** Lets pages of these origins use the API with a token; cookies are never asked for. */
export function crossOrigin(origins: readonly string[]) {
  if (origins.length === 0) return createMiddleware<ServerEnv>((_, next) => next());
  return cors({
    origin: [...origins],
    allowMethods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    allowHeaders: [
      "authorization",
      "content-type",
      "idempotency-key",
      "last-event-id",
      "traceparent",
      "x-aether-artifact-digest",
      "x-aether-signature",
      "x-request-id",
      "x-trace-id",
    ],
    exposeHeaders: [
      "etag",
      "location",
      "retry-after",
      "traceparent",
      "x-aether-deprecated",
      "x-request-id",
      "x-trace-id",
    ],
    maxAge: 600,
  });
}
