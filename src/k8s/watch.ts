import type { ObjectQuery } from "./cluster.ts";
import { ClusterError } from "./cluster-error.ts";
import type { KindName, ObjectOf } from "./kinds.ts";
import { networkFailure } from "./network-failure.ts";
import { inWords, objectPath } from "./object-path.ts";
import { splitLines } from "./split-lines.ts";
import { statusFailure } from "./status-failure.ts";
import type { Transport } from "./transport.ts";

export interface WatchEvent<T> {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  object: T;
}

export interface WatchOptions {
  /** What is after this. */
  resourceVersion: string;
  signal: AbortSignal;
  /** Broken off as `timeout` when not a byte has come for so long. */
  silenceMs: number;
  /** Told of every chunk, bookmarks too. */
  onHeard: () => void;
}

/** One watch, until the API server ends it. It throws a `ClusterError`: `expired` when only a list helps. */
export async function* watchObjects<K extends KindName>(
  transport: Transport,
  query: ObjectQuery<K>,
  options: WatchOptions,
): AsyncGenerator<WatchEvent<ObjectOf<K>>> {
  const silence = new AbortController();
  const signal = AbortSignal.any([options.signal, silence.signal]);
  let timer: Timer | undefined;
  const listen = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new DOMException("silence", "TimeoutError")), options.silenceMs);
  };
  const doing = inWords("watch", query);
  try {
    const response = await transport.open({
      method: "GET",
      path: objectPath(query),
      query: {
        watch: true,
        allowWatchBookmarks: true,
        resourceVersion: options.resourceVersion,
        // Not all of them end in the same moment.
        timeoutSeconds: Math.round(300 * (1 + Math.random())),
        labelSelector: query.labelSelector,
        fieldSelector: query.fieldSelector,
      },
      doing,
      signal,
    });
    listen();
    for await (const line of splitLines(heard(response, listen, options.onHeard), { keepRest: false })) {
      yield toEvent<ObjectOf<K>>(line, doing);
    }
  } catch (error) {
    if (options.signal.aborted) throw options.signal.reason;
    if (error instanceof ClusterError) throw error;
    throw networkFailure(silence.signal.aborted ? silence.signal.reason : error, transport.server);
  } finally {
    clearTimeout(timer);
  }
}

async function* heard(response: Response, ...told: (() => void)[]): AsyncGenerator<Uint8Array> {
  for await (const chunk of response.body ?? []) {
    for (const tell of told) tell();
    yield chunk;
  }
}

function toEvent<T>(line: string, doing: string): WatchEvent<T> {
  const event = parseEvent(line);
  if (event.type !== "ERROR") return event as WatchEvent<T>;
  const status = event.object as { code?: number };
  throw statusFailure({ status: status.code ?? 500, body: status }, doing);
}

function parseEvent(line: string): { type: string; object: unknown } {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new ClusterError("failed", "A watch sent what is no JSON.", { cause: error });
  }
}
