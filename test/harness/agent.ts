import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import type { AgentEvent, AgentSpec } from "../../src/core/agent-protocol.ts";
import type { LogLine } from "../../src/core/log-line.ts";
import { createArtifactStore, type Files } from "./artifact-store.ts";
import { agentPath } from "./local-runtime.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { waitFor } from "./wait-for.ts";

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Starts the bundled agent with the machine's Node.js on an application made of `files`. */
export async function startAgent(files: Files, settings: Partial<AgentSpec> = {}) {
  const folder = await temporaryFolder();
  const store = await createArtifactStore();
  const artifact = await store.add(files);
  const spec: AgentSpec = {
    app: "shop",
    replica: "shop-v1-0",
    ...artifact,
    storageOrigins: [store.storageOrigin],
    releasesFolder: join(folder.path, "releases"),
    logFolder: join(folder.path, "log"),
    recordPath: join(folder.path, "record.json"),
    port: await freePort(),
    env: { PATH: process.env.PATH ?? "", HOME: folder.path, TZ: "UTC", LANG: "C.UTF-8" },
    graceMs: 2_000,
    startTimeoutMs: 10_000,
    ...settings,
  };
  const agent = Bun.spawn(["node", await agentPath()], {
    env: { PATH: process.env.PATH ?? "", AETHER_CANARY: "must-not-leak" },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  agent.stdin.write(`${JSON.stringify(spec)}\n`);
  agent.stdin.flush();
  const events: AgentEvent[] = [];
  const reading = readEvents(agent.stdout, events);

  type EventOf<Name> = Extract<AgentEvent, { event: Name }>;
  function event<Name extends AgentEvent["event"]>(name: Name, nth = 1): Promise<EventOf<Name>> {
    return waitFor(
      `${name} number ${nth} among ${JSON.stringify(events)}`,
      () => events.filter((one): one is EventOf<Name> => one.event === name)[nth - 1],
      { withinMs: 20_000 },
    );
  }

  return {
    spec,
    store,
    events,
    event,
    pid: agent.pid,
    get: (path: string) => fetch(`http://127.0.0.1:${spec.port}${path}`),
    log: () => readLogFolder(spec.logFolder),
    send: (command: object) => {
      agent.stdin.write(`${JSON.stringify(command)}\n`);
      agent.stdin.flush();
    },
    /** Ends its standard input, as the death of the server does, and returns the exit code. */
    async end() {
      agent.stdin.end();
      const code = await agent.exited;
      await reading;
      return code;
    },
    async [Symbol.asyncDispose]() {
      await this.end();
      await store[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Every line in a replica's segments, in order. */
export async function readLogFolder(folder: string): Promise<LogLine[]> {
  const names = (await readdir(folder)).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
  return texts.flatMap((text) =>
    text
      .trim()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as LogLine),
  );
}

async function readEvents(output: ReadableStream<Uint8Array>, events: AgentEvent[]): Promise<void> {
  let rest = "";
  for await (const text of output.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    events.push(...lines.map((line) => JSON.parse(line) as AgentEvent));
  }
}
