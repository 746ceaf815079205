import { type FSWatcher, watch } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { LogLine, LogQuery } from "../../core/log-line.ts";
import { AetherError, systemCode } from "../../lib/errors.ts";
import { createLogCursor, type LogCursor } from "./log-cursor.ts";

/** Between two looks at the files while they grow without a pause. */
const breathMs = 20;
/** Where file events are lost or not delivered at all. */
const pollMs = 1_000;

/**
 * The lines of all replicas of all releases whose logs are kept below `folder`, by time: the failed release's beside
 * the serving one's, each line naming its replica. With `follow`, also what comes, until `signal` aborts.
 */
export async function* readLogs(folder: string, query: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine> {
  const cursors = new Map<string, LogCursor>();
  const changes = query.follow ? watchChanges() : undefined;
  try {
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      const { found, folders } = await discover(folder, cursors);
      changes?.watch([folder, ...folders]);
      for (const cursor of isFirst ? found : []) await seek(cursor, query);
      const lines = wanted(query, merge([...cursors.values()], { toTheEnd: isFirst, signal }));
      for await (const line of isFirst && query.tailLines !== undefined ? lastOf(query.tailLines, lines) : lines) {
        yield line;
        changes?.touch(); // there may be more than was taken in this round
      }
      if (changes === undefined) return;
      await changes.next(signal);
    }
  } finally {
    changes?.close();
  }
}

/** The application, and what its agent notes beside it. */
const containers = ["app", "aether"];

/** Throws for what only pods have. */
export function assertLocal(app: string, { container, previous }: LogQuery): void {
  if (container !== undefined && !containers.includes(container)) {
    throw new AetherError("bad_request", `"${app}" has no container "${container}".`, {
      hint: `There are: ${containers.join(", ")}.`,
    });
  }
  if (!previous) return;
  throw new AetherError("bad_request", "Applications of this server have one log over all their runs.", {
    hint: "Leave out previous: the lines of the run before stand in it.",
  });
}

async function seek(cursor: LogCursor, { since, tailLines, container }: LogQuery): Promise<void> {
  // With a container's name, the lines of another do not count: all are read.
  if (tailLines !== undefined && container === undefined) return cursor.seekLast(tailLines);
  if (since !== undefined) return cursor.seekSince(since);
}

/** Adds a cursor for each replica that is not known yet. */
async function discover(folder: string, cursors: Map<string, LogCursor>) {
  const found: LogCursor[] = [];
  const generations = await foldersIn(folder);
  const replicas = (await Promise.all(generations.map(foldersIn))).flat();
  for (const replica of replicas) {
    if (cursors.has(replica)) continue;
    const cursor = createLogCursor(replica);
    cursors.set(replica, cursor);
    found.push(cursor);
  }
  return { found, folders: [...generations, ...replicas] };
}

async function foldersIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
      .map((entry) => join(folder, entry.name));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return []; // nothing was started yet, or it was removed meanwhile
    throw error;
  }
}

/**
 * What the cursors have ahead, the oldest first: each is in order by itself, so the heads are enough to compare. Unless
 * `toTheEnd`, one chunk of each is enough: a flood must not keep new replicas from being seen.
 */
async function* merge(
  cursors: LogCursor[],
  { toTheEnd, signal }: { toTheEnd: boolean; signal: AbortSignal },
): AsyncGenerator<LogLine> {
  const queues = await Promise.all(cursors.map(async (cursor) => ({ cursor, lines: await cursor.read(), at: 0 })));
  while (!signal.aborted) {
    let first: (typeof queues)[number] | undefined;
    for (const queue of queues) {
      const line = queue.lines[queue.at];
      const best = first?.lines[first.at];
      if (line && (best === undefined || line.time < best.time)) first = queue;
    }
    const line = first?.lines[first.at];
    if (first === undefined || line === undefined) return;
    yield line;
    first.at += 1;
    if (toTheEnd && first.at === first.lines.length) Object.assign(first, { lines: await first.cursor.read(), at: 0 });
  }
}

async function* wanted({ since, container }: LogQuery, lines: AsyncIterable<LogLine>): AsyncGenerator<LogLine> {
  const from = since?.toISOString() ?? "";
  for await (const line of lines) {
    if (line.time >= from && (container === undefined || line.container === container)) yield line;
  }
}

async function* lastOf(count: number, lines: AsyncIterable<LogLine>): AsyncGenerator<LogLine> {
  const kept: LogLine[] = [];
  for await (const line of lines) kept.push(line);
  yield* count === 0 ? [] : kept.slice(-count);
}

/** Tells that something below the watched folders changed; a slow poll is the net below the file events. */
function watchChanges() {
  const watchers = new Map<string, FSWatcher>();
  let pending = false;
  let wake: (() => void) | undefined;

  function changed(): void {
    pending = true;
    wake?.();
  }

  function forget(folder: string): void {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  }

  return {
    touch: changed,
    watch(folders: string[]) {
      for (const gone of [...watchers.keys()].filter((folder) => !folders.includes(folder))) forget(gone);
      for (const folder of folders) {
        if (watchers.has(folder)) continue;
        try {
          watchers.set(
            folder,
            watch(folder, changed).on("error", () => forget(folder)),
          );
          pending = true; // it may have changed between the reading and this
        } catch {
          // it is not there, or there are too many watchers: the poll sees it
        }
      }
    },
    async next(signal: AbortSignal): Promise<void> {
      if (!pending) {
        const waiting = Promise.withResolvers<void>();
        wake = waiting.resolve;
        const limit = setTimeout(wake, pollMs);
        signal.addEventListener("abort", wake);
        await waiting.promise;
        clearTimeout(limit);
        signal.removeEventListener("abort", wake);
        wake = undefined;
      }
      pending = false;
      await sleep(breathMs);
    },
    close() {
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}
