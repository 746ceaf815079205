import { createMiddleware } from "hono/factory";
import { AetherError } from "../lib/errors.ts";
import type { ServerEnv } from "./context.ts";

/** How many uploads may pass their bytes through this server at once. */
export interface UploadSlots {
  /** Runs `upload` in a slot; `rate_limited` when all are taken. */
  run<T>(upload: () => Promise<T>): Promise<T>;
}

/** `count` slots, shared by every way on which artifacts come in. */
export function createUploadSlots(count: number): UploadSlots {
  let taken = 0;
  return {
    async run(upload) {
      if (taken >= count) throw allTaken(count);
      taken += 1;
      try {
        return await upload();
      } finally {
        taken -= 1;
      }
    },
  };
}

/** A route whose request takes a slot. */
export function inSlot(slots: UploadSlots) {
  return createMiddleware<ServerEnv>(async function inSlot(_c, next) {
    await slots.run(next);
  });
}

type Handler = (request: Request) => Promise<Response>;

/** The embedded storage's own URLs: what is sent there takes a slot, what is fetched does not. */
export function limitPuts(handle: Handler, slots: UploadSlots): Handler {
  return async function limited(request) {
    if (request.method !== "PUT") return handle(request);
    try {
      return await slots.run(() => handle(request));
    } catch (error) {
      if (!(error instanceof AetherError)) throw error;
      return Response.json(error.toJSON(), { status: error.status, headers: retryAfterHeader(error) });
    }
  };
}

/** The header that goes with an error which says how long to wait. */
export function retryAfterHeader({ details }: AetherError): Record<string, string> {
  const seconds = details.retry_after_seconds;
  return typeof seconds === "number" ? { "retry-after": String(seconds) } : {};
}

const allTaken = (count: number): AetherError =>
  new AetherError("rate_limited", `The server is taking in ${count} uploads, as many as it may at once.`, {
    hint: "Try again in a moment; AETHER_MAX_CONCURRENT_UPLOADS raises the number.",
    details: { retry_after_seconds: 2 },
  });
