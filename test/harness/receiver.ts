import { join } from "node:path";
import type { EventView } from "../../src/core/events.ts";
import { temporaryFolder } from "./temporary-folder.ts";

export interface Received {
  event: EventView;
  body: string;
  headers: Headers;
  path: string;
}

export interface Receiver extends AsyncDisposable {
  url: string;
  received: Received[];
  /** How many were in its hands at once, at most. */
  busiest(): number;
}

export interface ReceiverOptions {
  hostname?: string;
  port?: number;
  /** The certificate of `hooks.test`, by an authority of these tests. */
  tls?: { cert: string; key: string };
  /** The answer to the nth request, from 1; a 200 by default. */
  answer?: (nth: number, received: Received) => Response | Promise<Response>;
}

/** A webhook's receiver on this machine, that remembers what it was sent. */
export function startReceiver({ hostname = "127.0.0.1", port = 0, tls, answer }: ReceiverOptions = {}): Receiver {
  const received: Received[] = [];
  let atOnce = 0;
  let most = 0;
  const server = Bun.serve({
    hostname,
    port,
    ...(tls === undefined ? {} : { tls }),
    idleTimeout: 0,
    async fetch(request) {
      atOnce += 1;
      most = Math.max(most, atOnce);
      const body = await request.text();
      const one = { event: JSON.parse(body), body, headers: request.headers, path: new URL(request.url).pathname };
      received.push(one);
      try {
        return (await answer?.(received.length, one)) ?? new Response("thank you");
      } finally {
        atOnce -= 1;
      }
    },
  });
  return {
    url: `${tls === undefined ? "http" : "https"}://${hostname}:${server.port}/hook`,
    received,
    busiest: () => most,
    async [Symbol.asyncDispose]() {
      await server.stop(true);
    },
  };
}

/** What the documentation tells receivers to do. */
export const isGenuine: (body: string, header: string | null, secret: string) => boolean = await documented();

async function documented() {
  const page = await Bun.file(join(import.meta.dir, "../../src/docs/events.md")).text();
  const code = /```js\n(.*?)```/s.exec(page)?.[1];
  if (code === undefined) throw new Error("The documentation shows no code any more.");
  await using folder = await temporaryFolder();
  const file = join(folder.path, "is-genuine.mjs");
  await Bun.write(file, code);
  return (await import(file)).isGenuine;
}
