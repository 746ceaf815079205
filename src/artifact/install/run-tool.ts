import { setTimeout as sleep } from "node:timers/promises";
import { AetherError, systemCode } from "../../lib/errors.ts";

/** A command as data: what `runTool` performs. */
export interface ToolCommand {
  argv: readonly string[];
  cwd: string;
  env: Record<string, string | undefined>;
}

export interface ToolOptions {
  signal?: AbortSignal | undefined;
  /** Each line as it comes, of both streams. */
  onLine?: ((line: string) => void) | undefined;
  /** Ends a tool that only answers a question. */
  timeoutMs?: number;
}

export interface ToolResult {
  /** 127: the program is not there. */
  exitCode: number;
  /** The last lines of both streams, oldest first. */
  lines: string[];
}

const keptLines = 400;
const killGraceMs = 5_000;

/** A daemon that an install script leaves behind may hold the pipes open for ever. */
const drainMs = 2_000;

/** Runs a command to its end; an abort ends it with all its children and throws `interrupted`. */
export async function runTool(command: ToolCommand, options: ToolOptions = {}): Promise<ToolResult> {
  const { signal, onLine, timeoutMs } = options;
  if (signal?.aborted) throw interrupted();
  const child = start(command);
  if (child === undefined) return { exitCode: 127, lines: [] };
  const lines: string[] = [];
  const keep = (line: string) => {
    lines.push(line);
    if (lines.length > keptLines) lines.shift();
    onLine?.(line);
  };
  const stop = () => endGroup(child.pid);
  const timer = timeoutMs === undefined ? undefined : setTimeout(stop, timeoutMs);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const read = Promise.all([readLines(child.stdout, keep), readLines(child.stderr, keep)]);
    const exitCode = await child.exited;
    await Promise.race([read, sleep(drainMs, undefined, { ref: false })]);
    if (signal?.aborted) throw interrupted();
    return { exitCode, lines };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

const interrupted = (): AetherError => new AetherError("interrupted", "Interrupted.");

/** In a group of its own: npm and yarn start children, which a signal to npm alone would leave behind. */
function start({ argv, cwd, env }: ToolCommand) {
  try {
    return Bun.spawn([...argv], { cwd, env, stdin: "ignore", stdout: "pipe", stderr: "pipe", detached: true });
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function readLines(stream: ReadableStream<Uint8Array>, keep: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/);
    rest = parts.pop() ?? "";
    parts.forEach(keep);
  }
  if (rest !== "") keep(rest);
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  signalGroup(pid, "SIGTERM");
  setTimeout(() => signalGroup(pid, "SIGKILL"), killGraceMs).unref();
}

function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    // The group has ended: what was wanted.
  }
}
