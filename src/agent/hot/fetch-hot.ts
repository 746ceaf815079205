import { mkdir, rename, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { type Digest, parseDigest } from "../../core/digest.ts";
import { type HotFetch, hotAnnotations, hotNames, parseHotVariables } from "../../core/pod-hot.ts";
import { messageOf } from "../../lib/errors.ts";
import { leaveVerdict, say, tokenOptions } from "../pod-words.ts";
import { hotRunScript } from "../run-script.ts";
import type { Metadata } from "./api-server.ts";
import { followDeployment } from "./follow-deployment.ts";
import preload from "./preload.cjs" with { type: "text" };
import { createRefresher, type Refreshed } from "./refresher.ts";
import { createReporter } from "./reporter.ts";
import { removeOld } from "./slots.ts";
import { readWish } from "./wish.ts";

/** So long the API server is waited for, before a pod begins with what it knows itself. */
const firstAnswerMs = 5_000;

/**
 * The life of a dev-hot pod's sidecar: it follows the annotations of its Deployment, the only truth about what shall run,
 * and brings each new digest into the running pod. Settles with its exit code.
 */
export async function fetchHot(env: Record<string, string | undefined>): Promise<number> {
  const stopping = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.abort());
  let wanted: HotFetch | undefined;
  try {
    wanted = parseHotVariables(env);
    await prepareControl(wanted);
    await removeOld(wanted.workspace);
    return await followAndRefresh(wanted, stopping.signal);
  } catch (error) {
    if (stopping.signal.aborted) return 143;
    leaveVerdict(error, wanted);
    return 1;
  }
}

async function followAndRefresh(wanted: HotFetch, signal: AbortSignal): Promise<number> {
  const reporter = createReporter({ ...wanted, ...tokenOptions(wanted), signal });
  const onRefreshed = (refreshed: Refreshed) =>
    reporter.add({ pod: hostname(), at: new Date().toISOString(), ...refreshed });
  const refresher = createRefresher(wanted, { stop: signal, onRefreshed });
  let everySec = wanted.fetchIntervalSec;
  const known = readWish(join(wanted.control, hotNames.wish))?.current?.digest ?? wanted.digest;
  const begin = setTimeout(() => refresher.want(known), firstAnswerMs);
  const sayOnce = createSayOnce();
  const following = followDeployment({
    api: { url: wanted.apiUrl ?? "", folder: wanted.api },
    namespace: wanted.namespace,
    name: wanted.app,
    everyMs: () => everySec * 1_000,
    onTrouble: sayOnce,
    onMetadata(metadata) {
      sayOnce(undefined);
      clearTimeout(begin);
      everySec = intervalOf(metadata) ?? wanted.fetchIntervalSec;
      const digest = digestOf(metadata, wanted);
      if (digest !== undefined) refresher.want(digest);
    },
    signal,
  });
  // Whatever ends first: the refresher by its verdict, the other only by a bug.
  return await Promise.race([refresher.run(), following.then(() => 143)]);
}

/** What both containers find in the control volume, before the application's starts. */
async function prepareControl({ control, workspace }: HotFetch): Promise<void> {
  await mkdir(control, { recursive: true });
  await writeWhole(join(control, hotNames.preload), preload);
  await writeWhole(join(control, hotNames.run), hotRunScript({ control, workspace }));
}

async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text);
  await rename(`${path}.part`, path);
}

/** Without the annotation the release's own digest holds; with one that is none, whatever runs goes on. */
function digestOf({ annotations }: Metadata, { digest }: HotFetch): Digest | undefined {
  const value = annotations?.[hotAnnotations.digest];
  if (value === undefined) return digest;
  try {
    return parseDigest(value, { prefix: true });
  } catch (error) {
    say(`the annotation ${hotAnnotations.digest} is ${JSON.stringify(value.slice(0, 100))}: ${messageOf(error)}`);
    return undefined;
  }
}

/** Seconds, at least one and at most a day. */
function intervalOf({ annotations }: Metadata): number | undefined {
  const seconds = Number(annotations?.[hotAnnotations.fetchInterval] ?? Number.NaN);
  return seconds >= 1 && seconds <= 86_400 ? seconds : undefined;
}

/** Trouble that goes on is said once, until it is over. */
function createSayOnce(): (what: string | undefined) => void {
  let last: string | undefined;
  return (what) => {
    if (what !== undefined && what !== last) say(what);
    last = what;
  };
}
