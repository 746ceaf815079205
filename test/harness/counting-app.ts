import type { LogLine } from "../../src/core/log-line.ts";

/**
 * An application that writes numbered lines, to both outputs in turn: `<run> <number>`. It ends when it finds /tmp/die, and its
 * last word, `<run> bye <count>`, has no end of line.
 */
export const countingApp = `
const fs = require("fs");
const run = process.hrtime.bigint().toString(36);
let n = 0;
const say = () => fs.writeSync(n % 3 === 2 ? 2 : 1, run + " " + n++ + "\\n");
const end = () => { fs.writeSync(1, run + " bye " + n); process.exit(1); };
setInterval(() => {
  for (let i = 0; i < 5; i += 1) say();
  if (!fs.existsSync("/tmp/die")) return;
  fs.unlinkSync("/tmp/die");
  end();
}, 20);
process.on("SIGTERM", end);
require("http").createServer((_, answer) => answer.end("ok")).listen(process.env.PORT);
`;

export interface CountedRun {
  pod: string;
  run: string;
  /** How many lines were seen. */
  count: number;
  /** It has said its last word. */
  isOver: boolean;
}

/** The runs whose lines these are; throws where a line is missing or came twice. `isWhole`: from the first line on. */
export function countRuns(lines: LogLine[], { isWhole = true } = {}): CountedRun[] {
  const runs = new Map<string, CountedRun & { numbers: number[] }>();
  for (const { pod, line, gap } of lines) {
    if (gap) throw new Error(`There is a gap in ${pod}: ${line}`);
    // What has no end of line is joined by the kubelet to what the other output was late with.
    const [, run = "", bye, number, , late] = /^(\S+) (bye )?(\d+?)(\1 (\d+))?$/.exec(line) ?? [];
    if (number === undefined) throw new Error(`A line of ${pod} is none of the application's: ${line}`);
    const known = runs.get(run) ?? { pod, run, count: 0, isOver: false, numbers: [] };
    runs.set(run, known);
    if (bye) known.isOver = true;
    known.numbers.push(Number(number), ...(late ? [Number(late)] : []));
  }
  return [...runs.values()].map(({ numbers, ...known }) => {
    // Two outputs are written down by two hands: a few lines change places.
    const sorted = numbers.sort((one, other) => one - other);
    // Where a tail begins, and of a run that goes on, the one output's lines may be there and not the other's of that time.
    const certain = sorted.slice(isWhole ? 0 : 50, known.isOver ? undefined : -50);
    const first = isWhole ? 0 : (certain[0] ?? 0);
    const wrong = certain.findIndex((number, index) => number !== first + index);
    if (wrong !== -1) {
      const around = certain.slice(Math.max(0, wrong - 3), wrong + 3);
      throw new Error(`Run ${known.run} of ${known.pod} goes ${around.join(" ")} at its line ${wrong}.`);
    }
    return { ...known, count: numbers.length };
  });
}
