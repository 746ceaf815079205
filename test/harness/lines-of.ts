import { type Subprocess, spawn } from "bun";

export interface LinedProcess extends AsyncDisposable {
  process: Subprocess<"pipe", "pipe", "pipe">;
  /** The next line of stdout, or undefined at its end. */
  next(): Promise<string | undefined>;
  /** The lines that were printed and not yet taken, to the end of stdout. */
  rest(): Promise<string[]>;
  stderr(): Promise<string>;
}

/** Runs a TypeScript file with this bun and reads what it prints line by line; disposing kills it. */
export function linesOf(file: string, args: string[]): LinedProcess {
  return lines([globalThis.process.execPath, file, ...args]);
}

/** The same for any program. */
export function lines(argv: string[]): LinedProcess {
  const process = spawn(argv, {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const read = splitLines(process.stdout);
  return {
    process,
    next: async () => (await read.next()).value,
    rest: () => Array.fromAsync(read),
    stderr: () => new Response(process.stderr).text(),
    async [Symbol.asyncDispose]() {
      process.kill("SIGKILL");
      await process.exited;
    },
  };
}

/** Whole lines only: what a kill cut short was never said. */
export async function* splitLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    const lines = (text + decoder.decode(chunk, { stream: true })).split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
  return undefined;
}
