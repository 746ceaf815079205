import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { LogStream } from "../core/log-line.ts";
import { createLineSplitter } from "./line-splitter.ts";
import type { LogWriter } from "./log-writer.ts";

const burstBytes = 8 * 1024 * 1024;
const bytesPerSecond = 4 * 1024 * 1024;

/** Slows a flood down to what a disk and a reader can bear; normal output never waits. */
export interface Throttle {
  spend(bytes: number): Promise<void>;
}

/** A bucket shared by both streams of a replica. What is not read waits in the pipe, and so does the one who writes it. */
export function createThrottle(): Throttle {
  let left = burstBytes;
  let at = performance.now();
  return {
    async spend(bytes) {
      const now = performance.now();
      left = Math.min(burstBytes, left + ((now - at) / 1_000) * bytesPerSecond) - bytes;
      at = now;
      if (left < 0) await sleep((-left / bytesPerSecond) * 1_000);
    },
  };
}

/** Copies a stream of the application to its log, line by line, until it ends. */
export async function captureOutput(
  stream: LogStream,
  output: Readable,
  { log, throttle }: { log: LogWriter; throttle: Throttle },
): Promise<void> {
  const splitter = createLineSplitter();
  for await (const chunk of output as AsyncIterable<Buffer>) {
    await throttle.spend(log.write(stream, splitter.push(chunk)));
  }
  log.write(stream, splitter.flush());
}
