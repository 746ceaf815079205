import { type FSWatcher, statSync, watch } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { systemCode } from "../../lib/errors.ts";

/** Hints that something in a folder may have changed. None is promised: the clock stands behind them. */
export interface TreeWatch extends Disposable {
  /** Watches exactly these folders from now on; an earlier change in one of them gives no hint. */
  follow(folders: ReadonlySet<string>): void;
  /** Waits for the next hint, `atMostMs` at most; whether there was one since the last that was waited for. */
  hinted(atMostMs: number, signal: AbortSignal): Promise<boolean>;
  /** Not everything can be watched: only looking tells. */
  readonly isBlind: boolean;
}

export interface WatchOptions {
  warn: (message: string) => void;
}

/** Watches folders of a tree, each by a watch of its own: one that is recursive would take in node_modules. */
export function watchTree(root: string, { warn }: WatchOptions): TreeWatch {
  const watches = new Map<string, FolderWatch>();
  let hint = Promise.withResolvers<void>();
  let isBlind = false;
  let hasWarned = false;

  /** A folder that was moved away and made anew is another one; its watch must end before, or Bun takes the old one again. */
  function open(path: string): boolean {
    const ino = inodeOf(join(root, path));
    const known = watches.get(path);
    if (known !== undefined && known.ino === ino) return true;
    known?.watcher.close();
    watches.delete(path);
    if (ino === undefined) return true; // gone again, of which its parent's watch tells
    const watcher = tryWatch(join(root, path), () => hint.resolve());
    if (watcher instanceof Error) return cannot(watcher);
    if (watcher !== undefined) watches.set(path, { ino, watcher });
    return true;
  }

  function cannot(error: Error): false {
    if (!hasWarned) warn(blindness(root, error));
    hasWarned = true;
    return false;
  }

  return {
    follow(folders) {
      for (const [path, { watcher }] of watches) {
        if (folders.has(path)) continue;
        watcher.close();
        watches.delete(path);
      }
      isBlind = false;
      for (const path of folders) {
        if (open(path)) continue;
        isBlind = true;
        break; // the next would fail as well
      }
    },
    async hinted(atMostMs, signal) {
      const over = new AbortController();
      const clock = sleep(atMostMs, false, { signal: AbortSignal.any([signal, over.signal]) }).catch(() => false);
      const was = await Promise.race([hint.promise.then(() => true), clock]);
      over.abort();
      if (was) hint = Promise.withResolvers();
      return was;
    },
    get isBlind() {
      return isBlind;
    },
    [Symbol.dispose]() {
      for (const { watcher } of watches.values()) watcher.close();
      watches.clear();
    },
  };
}

interface FolderWatch {
  ino: number;
  watcher: FSWatcher;
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    return undefined; // gone, or not ours to read: the look that lists folders tells of it
  }
}

function tryWatch(path: string, onHint: () => void): FSWatcher | Error | undefined {
  try {
    return watch(path, { persistent: false }, onHint).on("error", onHint);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return undefined; // gone since it was listed
    if (error instanceof Error) return error;
    throw error;
  }
}

function blindness(root: string, error: Error): string {
  const every = "It is looked every second instead, which takes longer.";
  const code = systemCode(error);
  if (code === "ENOSPC") {
    return `The system lets this user watch no more folders (inotify's max_user_watches is used up). ${every} More are allowed by: sudo sysctl fs.inotify.max_user_watches=524288`;
  }
  if (code === "EMFILE") {
    return `The system lets this user watch with no more programs (inotify's max_user_instances is used up). ${every} More are allowed by: sudo sysctl fs.inotify.max_user_instances=512`;
  }
  return `${root} cannot be watched: ${error.message}. ${every}`;
}
