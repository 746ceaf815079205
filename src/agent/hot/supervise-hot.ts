import { join } from "node:path";
import { hotNames } from "../../core/pod-hot.ts";
import { messageOf } from "../../lib/errors.ts";
import { followFile } from "./follow-file.ts";
import { createForwarder } from "./forwarder.ts";
import { createSupervisor } from "./supervisor.ts";
import { type HotStatus, readWish, writeJson } from "./wish.ts";

/**
 * The life of a dev-hot application's container: it owns PORT, and runs what the fetcher wishes in `controlFolder`, which
 * it can only read. Its own word goes to `statusFolder`. Settles with its exit code after SIGTERM.
 */
export async function superviseHot(
  env: Record<string, string | undefined>,
  [controlFolder = "", statusFolder = ""]: string[],
): Promise<number> {
  const publicPort = Number(env.PORT);
  const supervisor = createSupervisor({
    forwarder: createForwarder({ port: publicPort, ...(env.AETHER_HOT_HOST ? { host: env.AETHER_HOT_HOST } : {}) }),
    surroundings: { env: applicationEnvironment(env), publicPort, preloadPath: join(controlFolder, hotNames.preload) },
    report: inTurn((status: HotStatus) => writeJson(join(statusFolder, hotNames.status), status)),
    note: (line) => void process.stderr.write(`[aether] ${line}\n`),
  });
  const wishPath = join(controlFolder, hotNames.wish);
  const stopFollowing = followFile(wishPath, () => {
    const wish = readWish(wishPath);
    if (wish) supervisor.wish(wish);
  });
  await new Promise((told) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, told);
  });
  stopFollowing();
  await supervisor.stop();
  return 0;
}

/** As the container has it; the script that starts us has put NODE_OPTIONS aside, or they would be ours. */
function applicationEnvironment(env: Record<string, string | undefined>): Record<string, string> {
  const { AETHER_APP_NODE_OPTIONS: options, AETHER_HOT_HOST: _, NODE_OPTIONS: __, ...rest } = env;
  const given = { ...rest, ...(options && { NODE_OPTIONS: options }) };
  return Object.fromEntries(Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** One after the other, and of those that wait the last only. */
function inTurn<T>(write: (value: T) => Promise<void>): (value: T) => void {
  let waiting: { value: T } | undefined;
  let isWriting = false;
  async function writeAll(): Promise<void> {
    isWriting = true;
    for (let next = waiting; next; next = waiting) {
      waiting = undefined;
      await write(next.value).catch((error) => process.stderr.write(`[aether] ${messageOf(error)}\n`));
    }
    isWriting = false;
  }
  return (value) => {
    waiting = { value };
    if (!isWriting) void writeAll();
  };
}
