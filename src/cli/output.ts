import { createConsola } from "consola/basic";
import type { AetherError } from "../lib/errors.ts";
import { redact } from "../lib/redact.ts";
import { createProgress, type Progress } from "./progress.ts";

/** stdout carries the answer, stderr the story: `aether list --json | jq` must always work. */
export interface Output {
  readonly isJson: boolean;
  /** Whether a person watches stderr: only then are progress lines redrawn, and only then are there colours. */
  readonly isInteractive: boolean;
  configure(options: { quiet: boolean }): void;
  step(message: string): void;
  /** A line of a tool that works for us: dimmed for people, and left out by --quiet. */
  detail(line: string): void;
  done(message: string): void;
  warn(message: string): void;
  /** A line that is redrawn in place, in bytes; shown to people only. Without `total` there is no bar. */
  progress(label: string, done: number, total?: number): void;
  /** Text for stdout, as it is. */
  text(text: string): void;
  /** The one JSON object of `--format json`. */
  json(value: unknown): void;
  /** Expected failure: one sentence, and what to do. */
  failure(error: AetherError): void;
  /** A bug of ours: the stack, and where to send it. */
  bug(error: unknown): void;
  flush(): Promise<void>;
}

/** The only way a command prints. */
export function createOutput({ json, env }: { json: boolean; env: Record<string, string | undefined> }): Output {
  const interactive = process.stderr.isTTY === true && env.CI === undefined && env.TERM !== "dumb";
  const coloured = interactive && (env.NO_COLOR === undefined || env.NO_COLOR === "");
  const log = createConsola({
    stdout: process.stderr,
    stderr: process.stderr,
    throttle: 0,
    formatOptions: { colors: coloured, date: false, compact: true },
  });
  let quiet = false;
  let answered = false;
  let drawn = 0;
  let progress: Progress | undefined;

  function clearProgress() {
    if (drawn > 0) process.stderr.write(`\r${" ".repeat(drawn)}\r`);
    drawn = 0;
  }
  function say(level: "start" | "success" | "warn" | "error", message: string) {
    clearProgress();
    if (quiet && level !== "error" && level !== "warn") return;
    log[level](redact(message));
  }
  function writeJson(value: unknown) {
    answered = true;
    process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  return {
    isJson: json,
    isInteractive: interactive,
    configure: (options) => {
      quiet = options.quiet;
    },
    step: (message) => say("start", message),
    detail(line) {
      if (quiet) return;
      clearProgress();
      process.stderr.write(`  ${redact(line)}\n`);
    },
    done: (message) => say("success", message),
    warn: (message) => say("warn", message),
    progress(label, done, total) {
      if (!interactive || quiet) return;
      if (progress?.label !== label) progress = createProgress(label);
      const line = progress.update(done, total);
      if (line === undefined) return;
      const fitting = line.slice(0, (process.stderr.columns || 80) - 1); // what wraps cannot be redrawn in place
      process.stderr.write(`\r${fitting.padEnd(drawn)}`);
      drawn = fitting.length;
    },
    text: (text) => void process.stdout.write(text),
    json: writeJson,
    failure(error) {
      say("error", error.hint === undefined ? error.message : `${error.message}\n${error.hint}`);
      if (json && !answered) writeJson(error.toJSON());
    },
    bug(error) {
      say(
        "error",
        `This is a bug in aether: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
      if (json && !answered)
        writeJson({ code: "internal", message: "This is a bug in aether; the story is on stderr." });
    },
    async flush() {
      clearProgress();
      await Promise.all([drain(process.stdout), drain(process.stderr)]);
    },
  };
}

function drain(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => (stream.writableLength === 0 ? resolve() : stream.write("", () => resolve())));
}
