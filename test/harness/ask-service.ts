import { waitFor } from "./wait-for.ts";

/** Asks a Service by its node's port, of which the node's proxy learns a moment after everybody else. */
export function askService(url: string): Promise<Response> {
  return waitFor(
    `${url} to be routed`,
    () =>
      fetch(url, { keepalive: false }).catch((error: unknown) => {
        if (String(error).includes("ECONNREFUSED")) return undefined;
        throw error;
      }),
    { withinMs: 20_000, everyMs: 50 },
  );
}
