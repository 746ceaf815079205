import { retry } from "../../lib/retry.ts";
import { askedDelayMs, isBusy } from "../retry-after.ts";
import { hasTimedOut, isNotFound, isTransient, notAether, unreachable } from "./errors.ts";
import { type ClientOptions, createOpen } from "./open.ts";

/** One request as the client's methods describe it. */
export interface Call {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  body?: unknown;
  key?: string | undefined;
  timeoutMs: number;
  /** What is made anew each time must not be asked for twice. */
  once?: boolean;
  /** What the answer must be: a list, nothing, or an object with this key. */
  answers: string | typeof list | typeof nothing;
}

/** An answer that is a list. */
export const list = Symbol("a list");
/** An answer without a body. */
export const nothing = Symbol("no body");

/** Whoever is asked to come back later does so, when that is within this time. */
const busyPatienceMs = 60_000;

/** Sends a call; one that is refused because there were too many is sent again when the server asked for it. */
export function createRequest(options: ClientOptions) {
  const send = createSend(options);
  return (call: Call): Promise<unknown> => {
    const patientUntil = performance.now() + busyPatienceMs;
    const delayMs = (error: unknown) => Math.max(askedDelayMs(error) ?? 0, 200); // never at once, whatever was asked
    return retry(() => send(call), {
      attempts: 1,
      patienceMs: busyPatienceMs,
      signal: options.signal,
      // What is transient was repeated already, and may have been done.
      shouldRetry: (error) =>
        isBusy(error) && !isTransient(error) && performance.now() + delayMs(error) <= patientUntil,
      askedDelayMs: delayMs,
    });
  };
}

/** Sends a call, and repeats it when the network fails or the server is away. */
function createSend(options: ClientOptions) {
  const open = createOpen(options);
  return ({ method, path, body, key, timeoutMs, answers, once = false }: Call): Promise<unknown> => {
    let timeouts = 0;
    // A lost answer may hide a done deed: POST is repeated only because every write here is idempotent or carries a key.
    return retry(
      async (attempt) => {
        const response = await open(path, {
          method,
          timeout: false, // the signal's holds, which may be longer
          headers: {
            ...(body === undefined ? {} : { "content-type": "application/json" }),
            ...(key === undefined ? {} : { "idempotency-key": key }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          signal: AbortSignal.timeout(Math.round(timeoutMs)),
        }).catch((error: unknown) => {
          // An earlier attempt removed it, and its answer was lost.
          if (method === "DELETE" && answers === nothing && attempt > 1 && isNotFound(error)) return undefined;
          throw error;
        });
        if (response === undefined || (answers === nothing && response.status === 204)) return undefined;
        const answer = await readJson(response, options);
        if (!hasShape(answer, answers)) throw notAether(options.server);
        return answer;
      },
      {
        attempts: once ? 1 : 4,
        ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
        signal: options.signal,
        // Who did not answer twice will not at the third time, and a person waits.
        shouldRetry: (error) => isTransient(error) && (!hasTimedOut(error) || ++timeouts < 2),
      },
    );
  };
}

async function readJson(response: Response, { server, signal }: ClientOptions): Promise<unknown> {
  const text = await response.text().catch((error: unknown) => {
    if (signal.aborted) throw signal.reason;
    throw unreachable(server, error);
  });
  if (!isOfType(response, "application/json")) throw notAether(server);
  try {
    return JSON.parse(text);
  } catch {
    throw notAether(server);
  }
}

function hasShape(answer: unknown, expected: Call["answers"]): boolean {
  if (typeof expected !== "string") return Array.isArray(answer);
  return typeof answer === "object" && answer !== null && expected in answer;
}

/** Whether an answer says that it is of this media type. */
export function isOfType(response: Response, type: string): boolean {
  return response.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() === type;
}
