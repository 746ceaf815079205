import { readFile } from "node:fs/promises";
import { messageOf } from "../lib/errors.ts";
import { ClusterError } from "./cluster-error.ts";

/** What a request shows: a header, a client certificate, or both. */
export interface Identity {
  authorization?: string;
  cert?: string;
  key?: string;
}

/** Who we are to the API server. What it answers may change with time. */
export interface Credentials {
  current(): Promise<Identity>;
  /** The API server answered 401 to `refused`; false when there is nothing newer to show. */
  renew(refused: Identity): Promise<boolean>;
}

/** Text that is there, or in a file that somebody renews. */
export interface TextSource {
  read(): Promise<string>;
  /** The file is read again at the next `read`. */
  forget(): void;
}

const rereadMs = 60_000;

/** The file, read at most every minute: projected tokens and their authority rotate. */
export function fileSource(path: string, what: string): TextSource {
  let held: { text: string; at: number } | undefined;
  return {
    async read() {
      if (held && performance.now() - held.at < rereadMs) return held.text;
      const text = await readFile(path, "utf8").catch((error) => {
        throw new ClusterError("config", `Cannot read ${what}, ${path}: ${messageOf(error)}`, {
          cause: error,
          hint: "The kubeconfig names this file; make it readable for this user, or name another.",
        });
      });
      held = { text: text.trim(), at: performance.now() };
      return held.text;
    },
    forget() {
      held = undefined;
    },
  };
}

/** A text that never changes. */
export function fixedSource(text: string): TextSource {
  return { read: async () => text, forget() {} };
}

/** Credentials of sources: a bearer token, a client certificate with its key, or both. */
export function sourceCredentials(sources: { token?: TextSource; cert?: TextSource; key?: TextSource }): Credentials {
  const { token, cert, key } = sources;
  async function current(): Promise<Identity> {
    return {
      ...(token ? { authorization: `Bearer ${await token.read()}` } : {}),
      ...(cert ? { cert: await cert.read() } : {}),
      ...(key ? { key: await key.read() } : {}),
    };
  }
  return {
    current,
    async renew(refused) {
      for (const source of [token, cert, key]) source?.forget();
      return !isSame(await current(), refused);
    },
  };
}

/** Whether two identities would be taken for the same. */
export function isSame(one: Identity, other: Identity): boolean {
  return one.authorization === other.authorization && one.cert === other.cert && one.key === other.key;
}
