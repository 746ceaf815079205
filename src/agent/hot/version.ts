import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { appEnvironment } from "../../core/app-environment.ts";
import { messageOf } from "../../lib/errors.ts";
import { type AppProcess, type Exit, startApp } from "../app-process.ts";
import { firstRetriesMs } from "../back-off.ts";
import { captureOutput, createThrottle } from "../capture-output.ts";
import { type Attempted, explainExit, explainSilence } from "../explain.ts";
import { AgentFailure } from "../failure.ts";
import type { LogWriter } from "../log-writer.ts";
import { untilAnswering } from "../until-answering.ts";
import { type DrainLink, openDrainLink } from "./drain-link.ts";
import type { Target } from "./forwarder.ts";
import { createPassThroughLog } from "./pass-through-log.ts";
import { createPeerTable } from "./peer-table.ts";
import type { WantedVersion } from "./wish.ts";

/** What all versions of an application have in common. */
export interface VersionSurroundings {
  /** The application's own environment. */
  env: Record<string, string>;
  /** The port that clients know. */
  publicPort: number;
  /** Loaded into its Node.js processes. */
  preloadPath: string;
}

/** A version that answers. */
export interface Version extends Target {
  readonly wanted: WantedVersion;
  readonly link: DrainLink;
  readonly exited: Promise<Exit>;
  readonly since: number;
  /** Ends all its processes; also after it has ended itself, for what it left. */
  end(): Promise<void>;
}

/** A version that did not come up, and the last that it said. */
export interface FailedStart {
  failure: AgentFailure;
  log: string[];
}

/** Starts a version on a port of its own. Undefined when `stop` came first; nothing of a failed one is left. */
export async function startVersion(
  wanted: WantedVersion,
  { env, publicPort, preloadPath }: VersionSurroundings,
  { stop, onIdle }: { stop: AbortSignal; onIdle: () => void },
): Promise<Version | FailedStart | undefined> {
  for (let attempt = 1; !stop.aborted; attempt += 1) {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), "aether-hot-"));
    const socketPath = join(folder, "link");
    const link = await openDrainLink(socketPath, onIdle);
    const peers = createPeerTable(join(folder, "peers"));
    const own = hotEnvironment(env, { preloadPath, link: `${publicPort}:${port}:${socketPath}` });
    const place = { folder: wanted.folder, nodePath: process.execPath, port };
    const app = await startApp(wanted.start, { cwd: wanted.folder, env: appEnvironment(own, place) }).catch(asFailure);
    if (app instanceof AgentFailure) {
      await link.close();
      peers.close();
      return { failure: app, log: [] };
    }
    const log = createPassThroughLog();
    const output = captureAll(app, log);
    const end = async () => {
      await app.end(wanted.graceMs);
      await Promise.race([output, sleep(500)]); // a pipe handed to a process that left the group may stay open
      await link.close();
      peers.close();
      await rm(folder, { recursive: true, force: true });
    };
    const { startTimeoutMs, healthPath } = wanted;
    const started = await untilAnswering({ app, port, healthPath, startTimeoutMs, stop });
    if (started.seen?.kind === "answering" && !stop.aborted) {
      const { host } = started.seen;
      return { wanted, host, port, peers, link, exited: app.exited, since: performance.now(), end };
    }
    const attempted = (): Attempted => ({ start: wanted.start, port, fixedPort: false, healthPath, log: log.tail() });
    const silence = started.seen && explainSilence(started.seen, app.pid, attempted(), started.waitedMs); // while it lives
    await end();
    if (stop.aborted) return undefined;
    const triesLeft = firstRetriesMs.length - attempt + 1;
    const failure = started.exit ? explainExit(started.exit, attempted(), triesLeft) : silence;
    if (failure) return { failure, log: log.tail() };
    await sleep(firstRetriesMs[attempt - 1], undefined, { signal: stop }).catch(() => undefined); // stopped: the loop ends
  }
  return undefined;
}

/** Its folder is gone, or no process can be made. */
const asFailure = (error: unknown): AgentFailure =>
  new AgentFailure("crash_loop", `The application could not be started: ${messageOf(error)}.`);

/** `env` with the preload; what the application says in NODE_OPTIONS itself stays. */
function hotEnvironment(
  env: Record<string, string>,
  { preloadPath, link }: { preloadPath: string; link: string },
): Record<string, string> {
  const options = [`--require "${preloadPath}"`, env.NODE_OPTIONS].filter(Boolean).join(" ");
  return { ...env, NODE_OPTIONS: options, AETHER_HOT: link };
}

function captureAll(app: AppProcess, log: LogWriter): Promise<unknown> {
  const throttle = createThrottle();
  return Promise.all([
    captureOutput("stdout", app.stdout, { log, throttle }),
    captureOutput("stderr", app.stderr, { log, throttle }),
  ]);
}

/** One that was free a moment ago; who loses it starts again on another. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening, failed) => server.once("error", failed).listen(0, listening));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (typeof address !== "object" || address === null) throw new Error("A port was not told.");
  return address.port;
}
