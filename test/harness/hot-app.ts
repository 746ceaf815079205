import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { slotNames } from "../../src/agent/hot/drains.ts";
import preload from "../../src/agent/hot/preload.cjs" with { type: "text" };
import type { HotStatus, WantedVersion } from "../../src/agent/hot/wish.ts";
import { writeJson } from "../../src/agent/hot/wish.ts";
import { hotNames } from "../../src/core/pod-hot.ts";
import type { Files } from "./artifact-store.ts";
import { freePort } from "./free-port.ts";
import { agentPath } from "./local-runtime.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { waitFor } from "./wait-for.ts";

/** The supervisor of a dev-hot pod as a process of its own, and a fetcher's part of the work: slots and wishes. */
export async function createHotApp({ node = "node", env = {} as Record<string, string> } = {}) {
  const folder = await temporaryFolder();
  const port = freePort();
  const [control, workspace] = [join(folder.path, "control"), join(folder.path, "workspace")];
  await Promise.all([mkdir(control), mkdir(workspace)]);
  await writeFile(join(control, hotNames.preload), preload);
  const agent = await agentPath();
  const statusPath = join(workspace, hotNames.status);
  let said = "";
  let seq = 0;
  let current: WantedVersion | undefined;
  let child = start();

  function start() {
    const started = Bun.spawn([node, agent, "supervise-hot", control, workspace], {
      env: { PATH: process.env.PATH ?? "", PORT: String(port), AETHER_HOT_HOST: "127.0.0.1", ...env },
      stdout: "pipe",
      stderr: "pipe",
    });
    for (const output of [started.stdout, started.stderr]) void read(output);
    return started;
  }

  async function read(output: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of output.pipeThrough(new TextDecoderStream() as ReadableWritablePair)) said += text;
  }

  const status = async (): Promise<HotStatus> =>
    JSON.parse(await readFile(statusPath, "utf8").catch(() => '{"busy":[],"draining":0}'));

  /** The files of a version in a slot that nothing uses. */
  async function unpack(files: Files): Promise<string> {
    const slot = await waitFor(
      "a free slot",
      async () => {
        const { busy } = await status();
        return slotNames.map((name) => join(workspace, name)).find((path) => !busy.includes(path));
      },
      { withinMs: 60_000 },
    );
    await rm(slot, { recursive: true, force: true });
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(slot, name)), { recursive: true });
      await writeFile(join(slot, name), text, { mode: name.includes(".bin/") ? 0o755 : 0o644 });
    }
    return slot;
  }

  return {
    port,
    url: `http://127.0.0.1:${port}`,
    pid: () => child.pid,
    said: () => said,
    status,
    get: async (path = "/") => (await fetch(`http://127.0.0.1:${port}${path}`, { keepalive: false })).text(),
    /** Wishes a version; does not wait for what becomes of it. */
    async wish(files: Files, more: Partial<WantedVersion> = {}) {
      const next = { digest: `${seq + 1}`.repeat(64).slice(0, 64), folder: await unpack(files), ...usual, ...more };
      seq += 1;
      await writeJson(join(control, hotNames.wish), { seq, next, current });
      return { seq, next };
    },
    /** Wishes a version, and returns what became of it. */
    async reload(files: Files, more: Partial<WantedVersion> = {}) {
      const { seq: wished, next } = await this.wish(files, more);
      const outcome = await waitFor(
        `the outcome of ${wished}; it said ${said.slice(-2_000)}`,
        async () => {
          const { outcome: known } = await status();
          return known?.seq === wished ? known : undefined;
        },
        { withinMs: 60_000, everyMs: 5 },
      );
      if (outcome.ok) current = next;
      await writeJson(join(control, hotNames.wish), { seq: wished, current });
      return outcome;
    },
    /** Ends the supervisor as its container ends, and starts it anew. */
    async restart() {
      child.kill("SIGKILL");
      await child.exited;
      child = start();
    },
    async end() {
      child.kill("SIGTERM");
      return await child.exited;
    },
    async [Symbol.asyncDispose]() {
      await this.end();
      await folder[Symbol.asyncDispose]();
    },
  };
}

export type HotApp = Awaited<ReturnType<typeof createHotApp>>;

const usual = { start: "node server.js", startTimeoutMs: 10_000, drainMs: 30_000, graceMs: 2_000 };
