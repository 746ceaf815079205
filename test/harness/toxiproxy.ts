import { freePort } from "./agent.ts";
import { type Tier, tier } from "./tier.ts";
import { waitFor } from "./wait-for.ts";

/** Whether `toxiproxy-server` is there, which breaks connections in every way that networks know. */
export function toxiproxyTier(): Tier {
  return tier("toxiproxy", () => (Bun.which("toxiproxy-server") ? undefined : "no toxiproxy-server on the PATH"));
}

/** A fault on what goes up, by toxiproxy's names: `limit_data` {bytes}, `bandwidth` {rate in KB/s}, `timeout` {timeout}. */
export interface Toxic {
  type: string;
  attributes: Record<string, number>;
}

/** A proxy on a free port of 127.0.0.1; where it leads may be said later. */
export async function toxiproxy() {
  const port = await freePort();
  const server = Bun.spawn(["toxiproxy-server", "-host", "127.0.0.1", "-port", String(port), "-proxy-metrics"], {
    stdout: "ignore",
    stderr: "ignore",
  });
  const control = `http://127.0.0.1:${port}`;
  async function call(path: string, body?: object, method = "POST") {
    const response = await fetch(`${control}${path}`, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
    if (!response.ok) throw new Error(`toxiproxy ${path}: ${response.status} ${await response.text()}`);
    return response;
  }
  await waitFor("toxiproxy answers", () =>
    fetch(`${control}/version`).then(
      (r) => r.ok,
      () => false,
    ),
  );
  const proxy = { name: "storage", listen: "127.0.0.1:0", upstream: "127.0.0.1:1", enabled: true };
  const { listen } = (await (await call("/proxies", proxy)).json()) as { listen: string };

  return {
    url: `http://${listen}`,
    leadTo: (target: number) => call("/proxies/storage", { ...proxy, listen, upstream: `127.0.0.1:${target}` }),
    turnOff: () => call("/proxies/storage", { enabled: false }),
    add: (toxic: Toxic) => call("/proxies/storage/toxics", { name: toxic.type, stream: "upstream", ...toxic }),
    remove: (type: string) => call(`/proxies/storage/toxics/${type}`, undefined, "DELETE"),
    /** Bytes that arrived at the other side so far. */
    async sentBytes(): Promise<number> {
      const text = await (await fetch(`${control}/metrics`)).text();
      const value = /^toxiproxy_proxy_sent_bytes_total\{direction="upstream".*\} (\S+)$/m.exec(text)?.[1];
      return Number(value ?? 0);
    },
    async [Symbol.asyncDispose]() {
      server.kill();
      await server.exited;
    },
  };
}
