import { closeSync, ftruncateSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { LogLine, LogStream } from "../core/log-line.ts";
import { segmentName, segmentNumber } from "../core/log-segments.ts";

const segmentBytes = 8 * 1024 * 1024;
const segmentsKept = 3;
const tailLines = 20;
const tailLineLength = 2_000;

/** Writes one replica's log segments and remembers the last lines for a failure's report. */
export interface LogWriter {
  /** Returns how many bytes the lines are. */
  write(stream: LogStream, lines: string[]): number;
  /** A line of the agent itself about the application. */
  note(line: string): void;
  tail(): string[];
  close(): void;
}

/**
 * Appends synchronously: order is certain, nothing is held in memory, and a flood waits in its pipe. A full disk loses
 * lines, never the application: they are counted and the count is written when there is room again.
 */
export function createLogWriter(folder: string, replica: string): LogWriter {
  let number: number | undefined;
  let file: number | undefined;
  let size = 0;
  let lost = 0;
  const last: string[] = [];

  /** The file to append to: the current segment, or the next one when `bytes` more would be too many. */
  function segmentFor(bytes: number): number {
    if (file !== undefined && size + bytes <= segmentBytes) return file;
    mkdirSync(folder, { recursive: true });
    const next = (number ?? Math.max(0, ...segmentNumbers(folder))) + 1;
    const opened = openSync(join(folder, segmentName(next)), "a", 0o600);
    if (file !== undefined) closeSync(file);
    [file, number, size] = [opened, next, 0];
    for (const old of segmentNumbers(folder)) {
      if (old <= next - segmentsKept) rmSync(join(folder, segmentName(old)), { force: true });
    }
    return opened;
  }

  /** All of `bytes` or nothing. */
  function append(bytes: Buffer): boolean {
    try {
      writeWhole(segmentFor(bytes.length), bytes);
      size += bytes.length;
      return true;
    } catch {
      if (file !== undefined) ftruncateSync(file, size); // takes back half a line
      return false;
    }
  }

  function render(stream: LogStream, container: string, lines: string[]): Buffer {
    const time = new Date().toISOString();
    const entries = lines.map((line): LogLine => ({ time, pod: replica, container, stream, line }));
    return Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  }

  const note = (line: string): boolean => append(render("stderr", "aether", [line]));

  function remember(lines: string[]): void {
    last.push(...lines.slice(-tailLines).map((line) => line.slice(0, tailLineLength)));
    last.splice(0, Math.max(0, last.length - tailLines));
  }

  return {
    write(stream, lines) {
      if (lines.length === 0) return 0;
      remember(lines);
      if (lost > 0 && note(`${lost} lines were lost: the log could not be written.`)) lost = 0;
      const bytes = render(stream, "app", lines);
      if (!append(bytes)) lost += lines.length;
      return bytes.length;
    },
    note: (line) => void note(line),
    tail: () => [...last],
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}

function segmentNumbers(folder: string): number[] {
  return readdirSync(folder)
    .map(segmentNumber)
    .filter((number) => number !== undefined);
}

function writeWhole(file: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
}
