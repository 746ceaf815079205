import { join } from "node:path";
import { temporaryFolder } from "./temporary-folder.ts";

/** The compiled binary; `scripts/test` builds it first. */
export const binary = join(import.meta.dir, "..", "..", "dist", "aether");

/** The same, with AETHER_CRASH_AT. */
export const testBinary = `${binary}-test`;

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  stdin?: string;
}

/** A machine's user with folders of their own: no session, no cache, no configuration. The server and its data live there. */
export async function createUser(program = binary) {
  const folder = await temporaryFolder();
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: process.env.HOME ?? folder.path, // package managers find their registry by it
    XDG_CONFIG_HOME: join(folder.path, "config"),
    XDG_CACHE_HOME: join(folder.path, "cache"),
    XDG_STATE_HOME: join(folder.path, "state"),
    CI: "true",
  };

  function spawn(args: string[], { cwd = folder.path, env: more = {}, stdin = "" }: RunOptions = {}) {
    return Bun.spawn([program, ...args], {
      cwd,
      env: { ...env, ...more },
      stdin: new Blob([stdin]),
      stdout: "pipe",
      stderr: "pipe",
    });
  }

  async function run(args: string[], options: RunOptions = {}): Promise<Ran> {
    const child = spawn(args, options);
    const [stdout, stderr, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { code, stdout, stderr };
  }

  return { path: folder.path, env, spawn, run, [Symbol.asyncDispose]: folder[Symbol.asyncDispose] };
}

export type User = Awaited<ReturnType<typeof createUser>>;

export interface ServeOptions {
  env?: Record<string, string>;
  args?: string[];
  dataFolder?: string;
}

/** Starts `aether serve` on free ports and waits until it says that it is ready. */
export async function startServe(
  user: User,
  { env = {}, args = [], dataFolder = join(user.path, "data") }: ServeOptions = {},
) {
  const child = user.spawn(
    ["serve", "--port", "0", "--gateway-port", "0", "--data-dir", dataFolder, "--json", ...args],
    { env },
  );
  const said: string[] = [];
  const log = collect(child.stderr, said);
  const summary = await firstJson(child.stdout);
  if (summary === undefined) throw new Error(`aether serve ended with ${await child.exited}:\n${await log}`);
  const { api, gateway, port, pid } = summary;

  /** Asks an application through the gateway, as a browser would by its name. */
  function ask(app: string, path = "/", init: RequestInit = {}): Promise<Response> {
    return fetch(new URL(path, gateway), { ...init, headers: { ...init.headers, host: `${app}.localhost` } });
  }
  async function stop(): Promise<number> {
    child.kill("SIGTERM");
    return child.exited;
  }
  async function kill(): Promise<void> {
    child.kill("SIGKILL");
    await child.exited;
  }
  return {
    api,
    gateway,
    port,
    pid,
    log,
    logSoFar: () => said.join(""),
    ask,
    stop,
    kill,
    ended: child.exited,
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}

/** Runs `aether <args>` against a server and parses the JSON it answers. */
export async function runJson(user: User, args: string[], options: RunOptions = {}) {
  const ran = await user.run([...args, "--json"], options);
  return { ...ran, json: JSON.parse(ran.stdout === "" ? "null" : ran.stdout) };
}

/** The whole text at its end; what has come so far lies in `said`. */
async function collect(stream: ReadableStream<Uint8Array>, said: string[]): Promise<string> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) said.push(decoder.decode(chunk, { stream: true }));
  return said.join("");
}

async function firstJson(
  stream: ReadableStream<Uint8Array>,
): Promise<{ api: string; gateway: string; port: number; pid: number } | undefined> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return undefined;
    text += decoder.decode(value, { stream: true });
    if (text.trimEnd().endsWith("\n}")) break;
  }
  reader.releaseLock();
  return JSON.parse(text);
}
