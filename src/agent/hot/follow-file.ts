import { statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";

/** How often it is looked at beside the notices: they may be lost, and inotify has a limit for all pods of a node. */
const lookMs = 250;
const lookMsWithoutNotices = 50;

/** Calls `changed` when another file has been put at `path` by a rename, and when one is there at first. Returns how to stop. */
export function followFile(path: string, changed: () => void): () => void {
  let known: string | undefined;
  const look = () => {
    const now = identity(path);
    if (now === known) return;
    known = now;
    if (now !== undefined) changed();
  };
  const stopWatching = noticesOf(path, look);
  const timer = setInterval(look, stopWatching ? lookMs : lookMsWithoutNotices);
  look();
  return () => {
    clearInterval(timer);
    stopWatching?.();
  };
}

function noticesOf(path: string, look: () => void): (() => void) | undefined {
  try {
    const name = basename(path);
    const watcher = watch(dirname(path), (_, about) => void (about === name && look()));
    watcher.on("error", () => watcher.close()); // the timer goes on
    return () => watcher.close();
  } catch {
    return undefined; // no more watchers are to be had
  }
}

function identity(path: string): string | undefined {
  try {
    const { ino, mtimeMs, size } = statSync(path);
    return `${ino} ${mtimeMs} ${size}`;
  } catch {
    return undefined; // nothing is there, or what somebody put there cannot be looked at
  }
}
