import { StringDecoder } from "node:string_decoder";

/** Longer lines are cut: one line may not fill memory. */
export const maxLineLength = 16 * 1024;

/** Turns chunks of bytes into lines; a character or line that spans chunks is kept whole. */
export interface LineSplitter {
  push(chunk: Buffer): string[];
  /** What is left without a line end. */
  flush(): string[];
}

/** A splitter for one stream. */
export function createLineSplitter(limit = maxLineLength): LineSplitter {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  return {
    push(chunk) {
      const parts = (rest + decoder.write(chunk)).split("\n");
      rest = parts.pop() ?? "";
      const lines = parts.flatMap((line) => cut(line.endsWith("\r") ? line.slice(0, -1) : line, limit));
      if (rest.length <= limit) return lines;
      const pieces = cut(rest, limit);
      rest = pieces.pop() ?? "";
      return [...lines, ...pieces];
    },
    flush() {
      const line = rest + decoder.end();
      rest = "";
      return line === "" ? [] : cut(line, limit);
    },
  };
}

function cut(line: string, limit: number): string[] {
  if (line.length <= limit) return [line];
  const pieces: string[] = [];
  for (let start = 0; start < line.length; ) {
    let end = Math.min(start + limit, line.length);
    if (end < line.length && isHighSurrogate(line.charCodeAt(end - 1))) end -= 1; // never through a character
    pieces.push(line.slice(start, end));
    start = end;
  }
  return pieces;
}

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff;
