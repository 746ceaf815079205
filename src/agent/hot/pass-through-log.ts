import type { LogStream } from "../../core/log-line.ts";
import type { LogWriter } from "../log-writer.ts";

const tailLines = 20;
const tailLineLength = 2_000;

/** The application's output as it is, to where the container's goes, and the last lines of this version for a failure. */
export function createPassThroughLog(): LogWriter {
  const last: string[] = [];
  const outputs: Record<LogStream, NodeJS.WriteStream> = { stdout: process.stdout, stderr: process.stderr };
  return {
    write(stream, lines) {
      if (lines.length === 0) return 0;
      last.push(...lines.slice(-tailLines).map((line) => line.slice(0, tailLineLength)));
      last.splice(0, Math.max(0, last.length - tailLines));
      const text = `${lines.join("\n")}\n`;
      outputs[stream].write(text);
      return Buffer.byteLength(text);
    },
    note: (line) => void process.stderr.write(`[aether] ${line}\n`),
    tail: () => [...last],
    close: () => undefined,
  };
}
