import type { LogLine } from "../../../core/log-line.ts";
import { disorderMs } from "../../../core/log-place.ts";

/** In a flood, the disorder is a few lines. */
const mostHeld = 200;

/** The lines of all sources, the oldest first. Each is a container's, whose times go back by a little. */
export async function* mergeLines(containers: AsyncGenerator<LogLine>[]): AsyncGenerator<LogLine> {
  const sources = containers.map(inOrder);
  try {
    const heads = await Promise.all(sources.map(async (source) => ({ source, head: await source.next() })));
    for (;;) {
      let first: (typeof heads)[number] | undefined;
      for (const one of heads) {
        if (one.head.done) continue;
        if (first === undefined || (!first.head.done && one.head.value.time < first.head.value.time)) first = one;
      }
      if (first === undefined || first.head.done) return;
      yield first.head.value;
      first.head = await first.source.next();
    }
  } finally {
    await Promise.all(sources.map((source) => source.return(undefined)));
  }
}

async function* inOrder(lines: AsyncGenerator<LogLine>): AsyncGenerator<LogLine> {
  const held: LogLine[] = [];
  for await (const line of lines) {
    const place = held.findLastIndex(({ time }) => time <= line.time) + 1;
    held.splice(place, 0, line);
    const [oldest] = held;
    const isDue = held.length > mostHeld || Date.parse(line.time) - Date.parse(oldest?.time ?? "") > disorderMs;
    if (isDue && oldest) yield* held.splice(0, 1);
  }
  yield* held;
}

/** The last `count` of them. */
export async function lastLinesOf(lines: AsyncIterable<LogLine>, count: number): Promise<LogLine[]> {
  const kept: LogLine[] = [];
  for await (const line of lines) {
    kept.push(line);
    if (kept.length >= 2 * count + 1) kept.splice(0, kept.length - count);
  }
  return count === 0 ? [] : kept.slice(-count);
}
