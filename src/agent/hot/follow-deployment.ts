import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../lib/errors.ts";
import { ApiRefusal, type ApiServer, type Metadata, readMetadata, watchMetadata } from "./api-server.ts";

export interface Following {
  api: ApiServer;
  namespace: string;
  name: string;
  /** Between two looks beside the watch; asked before each. */
  everyMs: () => number;
  onMetadata: (metadata: Metadata) => void;
  /** Told of each failure; it goes on by itself. */
  onTrouble: (what: string) => void;
  signal: AbortSignal;
  /** A watch without a bookmark for so long is broken off: its connection may be dead. */
  silenceMs?: number;
}

const maxPauseMs = 5_000;

/**
 * Tells what a Deployment's metadata is, from the first answer on, for ever. The watch is what makes it fast; a look now
 * and then is what makes it sure. What is older than what was told already is not told.
 */
export async function followDeployment(following: Following): Promise<void> {
  let newest = -1n;
  const onMetadata = (metadata: Metadata) => {
    const version = BigInt(metadata.resourceVersion);
    if (version <= newest) return;
    newest = version;
    following.onMetadata(metadata);
  };
  await Promise.all([watchOn({ ...following, onMetadata }), lookOn({ ...following, onMetadata })]);
}

async function watchOn({ api, namespace, name, onMetadata, onTrouble, signal, ...more }: Following): Promise<void> {
  const silenceMs = more.silenceMs ?? 150_000; // bookmarks come about once a minute
  let from: string | undefined;
  for (let failures = 0; !signal.aborted; ) {
    try {
      for await (const { type, metadata } of watchMetadata(api, watchPath(namespace, name, from), {
        silenceMs,
        signal,
      })) {
        from = metadata.resourceVersion;
        failures = 0;
        if (type === "ADDED" || type === "MODIFIED") onMetadata(metadata);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiRefusal && error.status === 410) from = undefined; // what is in between is told by the state
      failures += 1;
      onTrouble(`the watch ended: ${messageOf(error)}`);
    }
    await pause(failures === 0 ? 50 : 100 * 2 ** failures, signal);
  }
}

async function lookOn({ api, namespace, name, everyMs, onMetadata, onTrouble, signal }: Following): Promise<void> {
  for (let failures = 0; !signal.aborted; ) {
    try {
      onMetadata(await readMetadata(api, objectPath(namespace, name), signal));
      failures = 0;
      await untilDue(everyMs, signal);
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      onTrouble(messageOf(error));
      await pause(100 * 2 ** failures, signal);
    }
  }
}

/** The interval may change while it passes: an annotation says so. */
async function untilDue(everyMs: () => number, signal: AbortSignal): Promise<void> {
  const [begin, share] = [performance.now(), 0.75 + Math.random() / 2];
  while (!signal.aborted && performance.now() - begin < everyMs() * share) await pause(500, signal);
}

/** Not all pods of an application in the same moment. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.min(ms, maxPauseMs) * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => undefined); // stopped
}

const objectPath = (namespace: string, name: string): string =>
  `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`;

/** Without a version it begins with the state as it is; the Role allows no list. */
function watchPath(namespace: string, name: string, from: string | undefined): string {
  const query = new URLSearchParams({
    watch: "true",
    allowWatchBookmarks: "true",
    fieldSelector: `metadata.name=${name}`,
    timeoutSeconds: String(Math.round(300 * (1 + Math.random()))),
    ...(from === undefined ? {} : { resourceVersion: from }),
  });
  return `/apis/apps/v1/namespaces/${namespace}/deployments?${query}`;
}
