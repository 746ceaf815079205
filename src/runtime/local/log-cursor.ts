import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { LogLine } from "../../core/log-line.ts";
import { segmentName, segmentNumber } from "../../core/log-segments.ts";
import { systemCode } from "../../lib/errors.ts";

/** A place in one replica's log, which moves on over its segments; nothing is read twice or left out. */
export interface LogCursor {
  /** The next lines, at most about `chunkBytes` of them; none when all there is has been read. */
  read(): Promise<LogLine[]>;
  /** Goes back so that `count` lines are ahead, or all that are kept. */
  seekLast(count: number): Promise<void>;
  /** Skips segments that were last written before `time`. */
  seekSince(time: Date): Promise<void>;
}

const chunkBytes = 256 * 1024;
const newline = 10;

/** Starts at the oldest line that is kept. */
export function createLogCursor(folder: string): LogCursor {
  let segment = 0;
  let offset = 0;
  let buffer = Buffer.alloc(0); // the beginning of a line that is still being written

  async function readChunk(): Promise<Buffer | undefined> {
    const chunk = await readAt(join(folder, segmentName(segment)), offset + buffer.length, chunkBytes);
    if (chunk === undefined || chunk.length === 0) return undefined;
    const bytes = Buffer.concat([buffer, chunk]);
    const end = bytes.lastIndexOf(newline) + 1;
    buffer = bytes.subarray(end);
    offset += end;
    return bytes.subarray(0, end);
  }

  function moveTo(number: number): void {
    segment = number;
    offset = 0;
    buffer = Buffer.alloc(0); // a line that a full disk cut off is no line
  }

  return {
    async read() {
      for (;;) {
        const chunk = await readChunk();
        if (chunk) {
          const lines = parseLines(chunk);
          if (lines.length > 0) return lines;
          continue;
        }
        const next = (await segmentsOf(folder)).find((number) => number > segment);
        if (next === undefined) return [];
        // The writer closes a segment before it opens the next: only now it is certain that this one has ended.
        const rest = await readChunk();
        if (rest === undefined) moveTo(next);
        else if (rest.length > 0) return parseLines(rest);
      }
    },
    async seekLast(count) {
      let missing = count;
      for (const number of (await segmentsOf(folder)).reverse()) {
        moveTo(number);
        const bytes = (await readAt(join(folder, segmentName(number)), 0, Number.POSITIVE_INFINITY)) ?? Buffer.alloc(0);
        const found = startOfLast(bytes, missing);
        offset = found.offset;
        missing -= found.lines;
        if (missing <= 0) return;
      }
    },
    async seekSince(time) {
      for (const number of await segmentsOf(folder)) {
        moveTo(number);
        const found = await stat(join(folder, segmentName(number))).catch(() => undefined); // pruned meanwhile
        if (found !== undefined && found.mtimeMs >= time.getTime()) return;
      }
    },
  };
}

/** Where the last `count` whole lines begin. */
function startOfLast(bytes: Buffer, count: number): { offset: number; lines: number } {
  let offset = bytes.lastIndexOf(newline) + 1;
  let lines = 0;
  while (lines < count && offset > 0) {
    offset = offset < 2 ? 0 : bytes.lastIndexOf(newline, offset - 2) + 1;
    lines += 1;
  }
  return { offset, lines };
}

function parseLines(bytes: Buffer): LogLine[] {
  return bytes
    .toString("utf8")
    .split("\n")
    .flatMap((text) => (text === "" ? [] : parseLine(text)));
}

function parseLine(text: string): LogLine[] {
  try {
    return [JSON.parse(text) as LogLine];
  } catch {
    return []; // a line that a full disk cut off, with the next one behind it
  }
}

async function segmentsOf(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(ignoreMissing);
  return (names ?? [])
    .map(segmentNumber)
    .filter((number) => number !== undefined)
    .sort((a, b) => a - b);
}

async function readAt(path: string, position: number, length: number): Promise<Buffer | undefined> {
  const file = await open(path, "r").catch(ignoreMissing);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, size - position)));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, position);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function ignoreMissing(error: unknown): undefined {
  if (systemCode(error) !== "ENOENT") throw error;
}
