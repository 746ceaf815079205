import { spawn } from "node:child_process";
import { constants } from "node:os";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { AetherError } from "../../lib/errors.ts";
import { groupMembers, signalGroup } from "../../lib/processes.ts";
import type { Session } from "../runtime.ts";

export interface CommandPlace {
  folder: string;
  /** All of it. */
  env: Record<string, string>;
  graceMs: number;
  /** Writes the process down, for a server after this one to end. */
  onStart: (pid: number) => Promise<void>;
}

/** Runs a command in a process group of its own, until it ends or `session.signal` ends all of the group. */
export async function runCommand(session: Session, place: CommandPlace): Promise<number> {
  session.signal.throwIfAborted();
  return session.terminal ? await runInTerminal(session, place) : await runWithPipes(session, place);
}

async function runWithPipes({ command, stdin, stdout, stderr, signal }: Session, place: CommandPlace): Promise<number> {
  const [program = "", ...args] = viaShell(command);
  const child = spawn(program, args, { cwd: place.folder, env: place.env, detached: true, stdio: "pipe" });
  const closed = new Promise<number>((done) =>
    child.once("close", (code, name) => done(code ?? 128 + constants.signals[name ?? "SIGKILL"])),
  );
  // Read from the start: under Bun, what a program has printed is lost when it ends before it is read.
  const outputs = Promise.all([pipeline(child.stdout, stdout), pipeline(child.stderr, stderr)]);
  outputs.catch(() => undefined);
  void pipeline(stdin, child.stdin).catch(() => undefined); // a command need not read all that it is sent
  await new Promise<void>((started, failed) => child.once("spawn", started).once("error", failed));
  const pid = child.pid ?? 0;
  const end = () => void endGroup(pid, place.graceMs);
  try {
    await place.onStart(pid);
    outputs.catch(end); // nobody reads any more
    const code = await unlessEnded(closed, pid, { signal, graceMs: place.graceMs });
    await outputs;
    return code;
  } finally {
    await groupGone(pid, place.graceMs);
  }
}

/** A terminal cannot be told to wait: who reads so slowly that this much piles up is let go. */
const unreadBytes = 32 * 1024 ** 2;

async function runInTerminal(session: Session, place: CommandPlace): Promise<number> {
  const { command, terminal, stdin, stdout, stderr, signal } = session;
  let tooMuch: AetherError | undefined;
  const child = Bun.spawn(viaShell(command), {
    cwd: place.folder,
    env: { TERM: "xterm-256color", ...place.env },
    terminal: {
      cols: terminal?.columns ?? 80,
      rows: terminal?.rows ?? 24,
      data(_terminal, data) {
        stdout.write(Uint8Array.from(data));
        if (stdout.writableLength <= unreadBytes || tooMuch) return;
        tooMuch = new AetherError("conflict", "The command printed more than was read, and was ended.");
        end();
      },
    },
  });
  const { pid } = child;
  const end = () => void endGroup(pid, place.graceMs);
  terminal?.onResize(({ columns, rows }) => !child.terminal?.closed && child.terminal?.resize(columns, rows));
  stdin.on("data", (data: Uint8Array) => !child.terminal?.closed && child.terminal?.write(data));
  try {
    await place.onStart(pid);
    const code = await unlessEnded(exitCodeOf(child), pid, { signal, graceMs: place.graceMs });
    if (tooMuch) throw tooMuch;
    stderr.end();
    await new Promise<void>((done) => void stdout.end(done));
    return code;
  } finally {
    child.terminal?.close();
    await groupGone(pid, place.graceMs);
  }
}

/** What `code` says; when the command is given up, the reason, even if what left its group lives on. */
async function unlessEnded(
  code: Promise<number>,
  pgid: number,
  { signal, graceMs }: { signal: AbortSignal; graceMs: number },
): Promise<number> {
  const ended = Promise.withResolvers<never>();
  const reject = () => void endGroup(pgid, graceMs).finally(() => ended.reject(signal.reason));
  signal.addEventListener("abort", reject, { once: true });
  if (signal.aborted) reject();
  try {
    const answer = await Promise.race([code, ended.promise]);
    signal.throwIfAborted();
    return answer;
  } finally {
    signal.removeEventListener("abort", reject);
  }
}

async function exitCodeOf(child: Bun.Subprocess): Promise<number> {
  const code = await child.exited;
  const name = child.signalCode as NodeJS.Signals | null;
  return name ? 128 + constants.signals[name] : code;
}

/** As in a pod: the shell says what it does not find, and ends with 126 or 127. */
const viaShell = (command: string[]): string[] => ["/bin/sh", "-c", 'exec "$@"', "aether", ...command];

const ending = new Map<number, Promise<void>>();

function endGroup(pgid: number, graceMs: number): Promise<void> {
  const known = ending.get(pgid);
  if (known) return known;
  const done = (async () => {
    signalGroup(pgid, "SIGTERM");
    const until = performance.now() + graceMs;
    while (groupMembers(pgid).length > 0 && performance.now() < until) await sleep(50);
    signalGroup(pgid, "SIGKILL");
  })();
  ending.set(pgid, done);
  void done.finally(() => ending.delete(pgid));
  return done;
}

/** What a command leaves in its group ends with it. */
async function groupGone(pgid: number, graceMs: number): Promise<void> {
  if (groupMembers(pgid).length > 0) await endGroup(pgid, graceMs);
}
