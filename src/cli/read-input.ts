import { AetherError } from "../lib/errors.ts";

/** All of standard input, when something is piped there; `usage` when a person's terminal is there, who would not know to end it. */
export async function readInput(what: string): Promise<string> {
  if (process.stdin.isTTY === true) {
    throw new AetherError("usage", `${what} is read from standard input, and nothing is piped there.`, {
      hint: "Pipe it in, so that it stays out of your shell's history.",
    });
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return decode(Buffer.concat(chunks), what);
}

/** Text that is exactly what the bytes say: what is no UTF-8 would come out otherwise than it went in. */
export function decode(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new AetherError("usage", `${what} is not UTF-8 text.`, { cause, hint: "Encode it, for example as base64." });
  }
}
