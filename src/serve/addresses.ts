import { isLoopback, type ServerConfig } from "../config/server.ts";

/** The base URLs under which the API is reached. */
export interface Addresses {
  /** By people and laptops. */
  public: string;
  /** By applications' agents. */
  internal: string;
  /** `host:port` as a request's Host header may say it, when the machine goes by `names`. */
  hostsOf(names: string[]): ReadonlySet<string>;
}

/** What is configured, else the address that is listened on. */
export function addressesOf(config: ServerConfig, port: number): Addresses {
  const host = isLoopback(config.host) ? config.host : "127.0.0.1"; // 0.0.0.0 is no address to call
  const own = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const publicUrl = config.publicUrl ?? own;
  const internalUrl = config.internalUrl ?? publicUrl;
  return {
    public: publicUrl,
    internal: internalUrl,
    hostsOf: (names) =>
      new Set([
        ...names.map((name) => `${name}:${port}`.toLowerCase()),
        new URL(publicUrl).host,
        new URL(internalUrl).host,
      ]),
  };
}
