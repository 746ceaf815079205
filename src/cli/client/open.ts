import { version } from "../../core/version.ts";
import { toError, unreachable } from "./errors.ts";

export interface ClientOptions {
  server: string;
  token?: string | undefined;
  signal: AbortSignal;
  /** Sends one request; a test passes its own. */
  fetch?: typeof fetch;
  /** How long one answer may take; hashing what was uploaded takes longer. */
  timeouts?: Timeouts;
  /** How long a server that is away or starting is asked again; without, a few times in two seconds. */
  patienceMs?: number;
}

export interface Timeouts {
  answerMs: number;
  completeMs: number;
}

/** A request; `timeout: false` is Bun's own, and turns off its five minutes: a stream may be silent for longer. */
type OpenInit = RequestInit & { timeout?: false };

/** Sends a request once and gives the open answer; an error answer is thrown. */
export function createOpen({ server, token, signal, fetch: send = fetch }: ClientOptions) {
  return async (path: string, init: OpenInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    headers.set("user-agent", `aether/${version}`);
    headers.set("accept", headers.get("accept") ?? "application/json");
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    const signals = init.signal ? AbortSignal.any([signal, init.signal]) : signal;
    const response = await send(`${server}${path}`, { ...init, headers, signal: signals, redirect: "manual" }).catch(
      (error: unknown) => {
        if (signal.aborted) throw signal.reason;
        throw unreachable(server, error);
      },
    );
    if (response.ok) return response;
    throw await toError(response, server, token !== undefined);
  };
}
