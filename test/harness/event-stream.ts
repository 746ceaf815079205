import type { EventView } from "../../src/core/events.ts";

export interface EventStream extends AsyncDisposable {
  /** The next event; undefined when the stream has ended. */
  next(): Promise<EventView | undefined>;
  /** Lines that are no event's: comments, and the hint when to come back. */
  asides: string[];
  status: number;
}

/** Listens to `/events` as a client would, without its coming back. */
export async function openEvents(url: string, headers: Record<string, string> = {}): Promise<EventStream> {
  const abort = new AbortController();
  const response = await fetch(url, { headers, signal: abort.signal });
  const asides: string[] = [];
  const events = read(response.body, asides);
  return {
    status: response.status,
    asides,
    next: async () => (await events.next()).value,
    async [Symbol.asyncDispose]() {
      abort.abort();
      await events.return(undefined);
    },
  };
}

async function* read(
  body: ReadableStream<Uint8Array> | null,
  asides: string[],
): AsyncGenerator<EventView, undefined, undefined> {
  if (body === null) return undefined;
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of body) {
      const blocks = (text + decoder.decode(chunk, { stream: true })).split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (data === undefined) asides.push(block);
        else yield JSON.parse(data);
      }
    }
  } catch (error) {
    if (!(error instanceof DOMException)) throw error; // we hung up
  }
  return undefined;
}
