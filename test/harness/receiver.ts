import { createHmac, timingSafeEqual } from "node:crypto";
import type { EventView } from "../../src/core/events.ts";

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

/** The ten lines that the documentation shows to receivers. */
export function isGenuine(body: string, header: string | null, secret: string, nowMs = Date.now()): boolean {
  const { t, v1 } = Object.fromEntries((header ?? "").split(",").map((part) => part.split("=")));
  if (!t || !v1 || Math.abs(nowMs / 1000 - Number(t)) > 300) return false;
  const expected = createHmac("sha256", secret).update(`${t}.${body}`).digest();
  const given = Buffer.from(v1, "hex");
  return given.length === expected.length && timingSafeEqual(given, expected);
}
