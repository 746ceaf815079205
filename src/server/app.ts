import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { RateLimit } from "../config/server.ts";
import type { ApiToken } from "../config/tokens.ts";
import type { Control } from "../control/control.ts";
import { toFailure } from "../control/failures.ts";
import { createStartupCheck } from "../control/health.ts";
import type { Rollouts } from "../control/rollouts.ts";
import { createTokenLookup } from "../control/token-lookup.ts";
import type { IdentifyPod } from "../core/pod-identity.ts";
import { AetherError } from "../lib/errors.ts";
import { readersRead } from "./access.ts";
import { describeApi } from "./api-document.ts";
import type { ServerEnv } from "./context.ts";
import { accessLog } from "./middleware/access-log.ts";
import { authenticate } from "./middleware/authenticate.ts";
import { bodySize } from "./middleware/body-size.ts";
import { crossOrigin, securityHeaders } from "./middleware/browsers.ts";
import { countRequests } from "./middleware/count-requests.ts";
import { headOnly } from "./middleware/head-only.ts";
import { idempotency } from "./middleware/idempotency.ts";
import { knownRoute, unknownRoute } from "./middleware/known-route.ts";
import { limitWrites } from "./middleware/limit-writes.ts";
import { nudgeEvents } from "./middleware/nudge-events.ts";
import { sameMachine } from "./middleware/same-machine.ts";
import { strictJson } from "./middleware/strict-json.ts";
import { defaultTimeLimits, type TimeLimits, timeLimit } from "./middleware/time-limit.ts";
import { trace } from "./middleware/trace.ts";
import { createRouter } from "./router.ts";
import { agentRoutes } from "./routes/agent.ts";
import { apiPageRoutes } from "./routes/api-page.ts";
import { appRoutes } from "./routes/apps.ts";
import { artifactRoutes } from "./routes/artifacts.ts";
import { auditRoutes } from "./routes/audit.ts";
import { capabilityRoutes } from "./routes/capabilities.ts";
import { deploymentRoutes } from "./routes/deployments.ts";
import { docRoutes } from "./routes/docs.ts";
import { environmentRoutes } from "./routes/environment.ts";
import { eventRoutes } from "./routes/events.ts";
import { healthRoutes } from "./routes/health.ts";
import { legacyUploadRoutes } from "./routes/legacy-upload.ts";
import { lockRoutes } from "./routes/locks.ts";
import { logRoutes } from "./routes/logs.ts";
import { metricRoutes } from "./routes/metrics.ts";
import { publicKeyRoutes } from "./routes/public-keys.ts";
import { releaseRoutes } from "./routes/releases.ts";
import { sessionRoutes } from "./routes/sessions.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { uploadRoutes } from "./routes/uploads.ts";
import { webhookRoutes } from "./routes/webhooks.ts";
import { inSlot, retryAfterHeader, type UploadSlots } from "./upload-slots.ts";

export interface AppOptions {
  control: Control;
  rollouts: Rollouts;
  tokens: ApiToken[];
  authRequired: boolean;
  /** Lets the agents that this server starts download what they run. */
  agentToken: string;
  /** Tells whose a pod's token is, where a runtime has pods: they download with it what they run. */
  identifyPod?: IdentifyPod | undefined;
  /** `host:port` names under which this server is asked. */
  ownHosts: ReadonlySet<string>;
  rateLimit?: RateLimit | undefined;
  corsAllowedOrigins?: readonly string[];
  timeLimits?: TimeLimits;
  uploadSlots: UploadSlots;
  /** Aborted when the server stops: open streams end then, so that nobody waits for them. */
  stopping: AbortSignal;
}

/** The control plane's HTTP side: every middleware and every route, on one screen. */
export function createApp(options: AppOptions): OpenAPIHono<ServerEnv> {
  const {
    control,
    rollouts,
    tokens,
    authRequired,
    agentToken,
    ownHosts,
    uploadSlots,
    stopping,
    corsAllowedOrigins = [],
  } = options;
  const startup = createStartupCheck(control);
  const tokenLookup = createTokenLookup(control);
  const app = createRouter();

  app.use(async (c, next) => {
    c.set("control", control);
    c.set("rollouts", rollouts);
    c.set("startup", startup);
    c.set("tokenLookup", tokenLookup);
    c.set("stopping", stopping);
    await next();
  });
  app.use(countRequests(control.metrics));
  app.use(trace, accessLog(control.log), securityHeaders, headOnly, crossOrigin(corsAllowedOrigins));
  app.use(timeLimit(options.timeLimits ?? defaultTimeLimits));
  app.route("/", healthRoutes);

  if (!authRequired) app.use(sameMachine(ownHosts, corsAllowedOrigins));
  // Read by browsers, which have no token; they tell nothing about what runs here.
  app.route("/", apiPageRoutes);
  app.route("/", docRoutes);
  describeApi(app);
  const { identifyPod } = options;
  app.use(authenticate({ tokens, lookup: tokenLookup, required: authRequired, agentToken, identifyPod }));
  app.use(knownRoute(app), readersRead, limitWrites(options.rateLimit));
  app.use(bodySize, strictJson);
  app.use(nudgeEvents, idempotency());
  app.post("/artifacts", inSlot(uploadSlots));

  app.route("/", capabilityRoutes);
  app.route("/", metricRoutes(control));
  app.route("/apps", appRoutes);
  app.route("/apps", environmentRoutes);
  app.route("/apps", releaseRoutes);
  app.route("/apps", lockRoutes);
  app.route("/apps", publicKeyRoutes);
  app.route("/apps", logRoutes);
  app.route("/apps", sessionRoutes);
  app.route("/artifacts", uploadRoutes);
  app.route("/artifacts", legacyUploadRoutes);
  app.route("/artifacts", artifactRoutes);
  app.route("/deployments", deploymentRoutes);
  app.route("/agent", agentRoutes);
  app.route("/tokens", tokenRoutes);
  app.route("/events", eventRoutes);
  app.route("/audit", auditRoutes);
  app.route("/webhooks", webhookRoutes);
  app.notFound((c) => answer(c, unknownRoute(c.req.method, c.req.path)));
  app.onError((error, c) => answer(c, error));
  return app;
}

/** The one place where an error becomes an answer. A bug's story goes to the log and never outside. */
function answer(c: Context<ServerEnv>, error: unknown): Response {
  const failure = isMalformed(error) ? new AetherError("bad_request", "The request is malformed.") : toFailure(error);
  const request_id = c.var.requestId ?? "unknown";
  if (failure.status >= 500)
    c.var.control.log.error("request failed", {
      path: c.req.path,
      request_id,
      trace_id: c.var.traceId,
      error: failure,
    });
  return c.json({ ...failure.toJSON(), request_id }, failure.status as 500, retryAfterHeader(failure));
}

/** Hono's own refusals of what it cannot parse. */
function isMalformed(error: unknown): boolean {
  return error instanceof HTTPException && error.status < 500;
}
