import type { Client } from "./client.ts";

/**
 * Yields when the server begins to tell of an app, and whenever something happened to it. It is a hint to look, and no more:
 * it just ends when the server is away, older than `/events`, or behind a proxy that holds streams back.
 */
export async function* eventHints(
  client: Pick<Client, "open">,
  app: string,
  signal: AbortSignal,
): AsyncGenerator<void, void> {
  const headers = { accept: "text/event-stream" };
  try {
    const { body } = await client.open(`/events?app=${encodeURIComponent(app)}`, { headers, timeout: false, signal });
    for await (const _ of body ?? []) yield;
  } catch {
    // Whoever waits asks by the clock as well, and meets there whatever is wrong.
  }
}
