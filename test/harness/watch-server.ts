import { setImmediate } from "node:timers/promises";
import { serveApi } from "./api-server.ts";

/** A ConfigMap as the API server sends it. */
export const configMap = (name: string, version: number, { uid = name, data = {} } = {}) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "apps", uid, resourceVersion: String(version) },
  data,
});

export type TestMap = ReturnType<typeof configMap>;

/** One line of a watch. */
export const line = (type: string, object: unknown): string => `${JSON.stringify({ type, object })}\n`;

/** What a script says to one watch: chunks as they are, and then the end or silence. */
export interface WatchScript {
  status?: Response;
  chunks?: (string | Uint8Array)[];
  ending?: "end" | "silence";
}

/**
 * A server that answers lists from `lists` (the last one again and again) and watches from `watches`, in order; when
 * they are used up a watch is open and silent, and `say` speaks on it.
 */
export function serveWatch(given: {
  lists: ({ version: number; items: TestMap[] } | Response)[];
  watches?: WatchScript[];
}) {
  const lists = [...given.lists];
  const watches = [...(given.watches ?? [])];
  let speak: ((text: string) => void) | undefined;
  let left = 0;
  const server = serveApi((request) => {
    if (!new URL(request.url).searchParams.has("watch")) return toList(lists.length > 1 ? lists.shift() : lists[0]);
    const script = watches.shift() ?? { ending: "silence" };
    return (
      script.status ??
      new Response(
        play(script, (open) => {
          speak = open;
          if (!open) left += 1;
        }),
      )
    );
  });
  const asked = (isWatch: boolean) => server.requests.filter(({ query }) => query.has("watch") === isWatch);
  return Object.assign(server, {
    lists: () => asked(false),
    /** From which resourceVersion each watch began. */
    watchedFrom: () => asked(true).map(({ query }) => query.get("resourceVersion")),
    isOpen: () => speak !== undefined,
    /** How many watches were left before their end. */
    left: () => left,
    say: (text: string) => speak?.(text),
  });
}

function toList(list: { version: number; items: TestMap[] } | Response | undefined): Response {
  if (list instanceof Response) return list.clone() as Response;
  return Response.json({ metadata: { resourceVersion: String(list?.version) }, items: list?.items });
}

function play(
  { chunks = [], ending = "end" }: WatchScript,
  onOpen: (speak: ((text: string) => void) | undefined) => void,
) {
  let isHeard = true;
  return new ReadableStream({
    async start(controller) {
      for (const chunk of chunks) {
        if (!isHeard) return;
        controller.enqueue(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk);
        for (let turns = 0; turns < 20; turns += 1) await setImmediate(); // apart on the wire
      }
      if (!isHeard) return;
      if (ending === "end") controller.close();
      if (ending === "silence") onOpen((text) => controller.enqueue(new TextEncoder().encode(text)));
    },
    cancel() {
      isHeard = false;
      onOpen(undefined); // who listened has gone
    },
  });
}
