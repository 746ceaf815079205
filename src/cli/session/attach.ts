import { finished, pipeline } from "node:stream/promises";
import type { TerminalSize } from "../../core/session-frames.ts";
import { AetherError, systemCode } from "../../lib/errors.ts";
import { connectSession, type OpenSession, type SessionTarget } from "./connect.ts";

export interface Attachment {
  command: string[];
  /** The program gets a terminal: this one. */
  hasTerminal: boolean;
}

/** Runs a command at the other end as if it were here: its streams, its terminal, its exit code. */
export async function attach(target: SessionTarget, { command, hasTerminal }: Attachment): Promise<number> {
  if (hasTerminal && !(process.stdin.isTTY && process.stdout.isTTY)) {
    throw new AetherError("usage", "There is no terminal here for --tty.", { hint: "Leave it away." });
  }
  const session = await connectSession(target, ["stdout", "stderr"]);
  session.tell({ type: "start", command, ...(hasTerminal ? { terminal: sizeHere() } : {}) });
  const letGo = hasTerminal ? takeTerminal(session) : undefined;
  void pipeline(process.stdin, session.stdin).catch(() => undefined); // the program need not read all
  try {
    return await streamed(session);
  } finally {
    letGo?.();
    session.close();
    process.stdin.unpipe();
    process.stdin.pause();
    process.stdin.unref?.(); // else a terminal that nobody types at keeps us
  }
}

const brokenPipe = 128 + 13;

async function streamed({ outputs, ended }: OpenSession<"stdout" | "stderr">): Promise<number> {
  const shown = Promise.all([copy(outputs.stdout, process.stdout), copy(outputs.stderr, process.stderr)]);
  try {
    const [code] = await Promise.all([ended, shown]);
    return code;
  } catch (error) {
    if (systemCode(error) === "EPIPE") return brokenPipe; // `aether exec … | head`
    throw error;
  }
}

/** Ours stays open. */
async function copy(from: NodeJS.ReadableStream, to: NodeJS.WriteStream): Promise<void> {
  const broken = new Promise<never>((_, reject) => to.once("error", reject));
  from.pipe(to, { end: false });
  await Promise.race([finished(from, { writable: false }), broken]);
}

const sizeHere = (): TerminalSize => ({ columns: process.stdout.columns ?? 80, rows: process.stdout.rows ?? 24 });

/** Every key goes to the program, Ctrl-C too. */
function takeTerminal({ tell }: OpenSession<"stdout" | "stderr">): () => void {
  const resized = () => tell({ type: "resize", ...sizeHere() });
  process.stdin.setRawMode(true);
  process.stdout.on("resize", resized);
  return () => {
    process.stdout.off("resize", resized);
    process.stdin.setRawMode(false);
  };
}
