import { misconfiguredReason } from "../../core/wire.ts";
import { AetherError, isFailureCode } from "../../lib/errors.ts";
import { isTimeout } from "../../lib/network-reason.ts";
import { retryAfter } from "../retry-after.ts";

/** Whether the same request may succeed a moment later. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof AetherError) || lastingReasons.has(error.details.reason)) return false;
  return error.code === "unreachable" || error.code === "service_unavailable";
}

/** Whether what was asked for is not there. */
export const isNotFound = (error: unknown): boolean => error instanceof AetherError && error.code === "not_found";

/** What was asked for, or undefined where there is none of it. */
export function orNothing<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
}

/** Whether a request was given up because no answer came. */
export function hasTimedOut(error: unknown): boolean {
  return error instanceof AetherError && isTimeout(error.cause);
}

/** Something answers at the address, and it is another program. */
export function notAether(server: string): AetherError {
  return new AetherError("unreachable", `${server} is not an aether server.`, {
    hint: "Check --server (AETHER_API_BASE): it names the API, not the address of an application.",
    details: { reason: notAetherReason },
  });
}

const notAetherReason = "not_an_aether_server";
const lastingReasons = new Set<unknown>([notAetherReason, misconfiguredReason]);

/** The network failed, or nothing came in time. */
export function unreachable(server: string, cause: unknown): AetherError {
  const timedOut = isTimeout(cause);
  const local = /\/\/(127\.0\.0\.1|localhost|\[::1\])(:|$)/.test(server);
  return new AetherError(
    "unreachable",
    `The server ${server} ${timedOut ? "did not answer in time" : "cannot be reached"}.`,
    {
      cause,
      hint: local
        ? "Start it with aether serve, or name another with --server."
        : "Check the address and your network.",
    },
  );
}

/** What an answer that is no success says. */
export async function toError(response: Response, server: string, hasToken: boolean): Promise<AetherError> {
  const body: unknown = await response.json().catch(() => undefined);
  if (isErrorBody(body)) {
    const hint = response.status === 401 ? tokenHint(server, hasToken) : withScope(body.hint, response, hasToken);
    const reason = body.reason === undefined ? {} : { reason: body.reason };
    const details = { request_id: body.request_id, ...reason, ...retryAfter(response) };
    const code = isFailureCode(body.code) ? body.code : fallbackCode(response.status);
    return new AetherError(code, body.message, { hint, details });
  }
  if (!isGatewayTrouble(response.status)) return notAether(server);
  return new AetherError("service_unavailable", `${server} answered ${response.status}: what it stands for is away.`, {
    hint: "Check that --server names an aether server, and that it runs.",
  });
}

// A reverse proxy speaks for a server that restarts.
const isGatewayTrouble = (status: number): boolean => status === 502 || status === 503 || status === 504;

function tokenHint(server: string, hasToken: boolean): string {
  return `${hasToken ? "The token was refused" : "A token is needed"}: run aether login --server ${server} --token-stdin.`;
}

/** A server does not tell what is not there from what a token is not for. Tokens themselves are seen by all who may ask. */
function withScope(hint: string | undefined, { status, url }: Response, hasToken: boolean): string | undefined {
  if (status !== 404 || !hasToken || /\/tokens(\/|$)/.test(url)) return hint;
  return [hint, "Or this token may not see it: one may be for some apps only."].filter(Boolean).join(" ");
}

function fallbackCode(status: number) {
  if (status === 401) return "unauthorized";
  if (status === 404) return "not_found";
  if (isGatewayTrouble(status)) return "service_unavailable";
  return status >= 500 ? "internal" : "bad_request";
}

function isErrorBody(
  value: unknown,
): value is { code: string; message: string; hint?: string; request_id: unknown; reason?: unknown } {
  if (typeof value !== "object" || value === null || !("request_id" in value)) return false;
  return "code" in value && typeof value.code === "string" && "message" in value && typeof value.message === "string";
}
