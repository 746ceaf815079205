import { createConsola } from "consola/core";
import { redact } from "../lib/redact.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Record<string, unknown>;

/** The server's log: one event a line, JSON or text, with fields that can be searched. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to each of its lines. */
  with(fields: LogFields): Logger;
}

const levels: Record<LogLevel, number> = { error: 0, warn: 1, info: 3, debug: 4 };

/** A logger that writes whole lines with `write`. Tokens and the queries of signed URLs never reach it. */
export function createLogger(options: {
  level: LogLevel;
  format: "json" | "text";
  write: (line: string) => void;
  now?: () => Date;
}): Logger {
  const now = options.now ?? (() => new Date());
  const consola = createConsola({
    level: levels[options.level],
    throttle: 0,
    reporters: [
      {
        log({ type, args }) {
          const [message, fields] = args as [string, LogFields];
          const own = { time: now().toISOString(), level: type, message };
          const line = { ...own, ...fields, ...own }; // a field of the same name must not replace what happened
          options.write(redact(options.format === "json" ? toJsonLine(line) : toTextLine(line)));
        },
      },
    ],
  });
  const create = (bound: LogFields): Logger => ({
    debug: (message, fields) => consola.debug(message, { ...bound, ...fields }),
    info: (message, fields) => consola.info(message, { ...bound, ...fields }),
    warn: (message, fields) => consola.warn(message, { ...bound, ...fields }),
    error: (message, fields) => consola.error(message, { ...bound, ...fields }),
    with: (fields) => create({ ...bound, ...fields }),
  });
  return create({});
}

function toJsonLine(line: LogFields): string {
  // Before JSON.stringify asks an error for its toJSON, which leaves the story out.
  const told = Object.entries(line).map(([name, value]) => [
    name,
    value instanceof Error ? describeError(value) : value,
  ]);
  return `${JSON.stringify(Object.fromEntries(told))}\n`;
}

function toTextLine({ time, level, message, ...fields }: LogFields): string {
  const shown = Object.entries(fields).map(([name, value]) => ` ${name}=${textOf(value)}`);
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${String(message)}${shown.join("")}\n`;
}

function textOf(value: unknown): string {
  if (value instanceof Error) return describeError(value);
  return typeof value === "string" && !/[\s"]/.test(value) ? value : JSON.stringify(value);
}

/** drizzle writes the parameters of a failed query into its message: hashes, sealed values, and whatever else was stored. */
function withoutParameters(story: string): string {
  return story.replace(/\nparams: [\s\S]*?(?=\n {4}at |$)/g, "\nparams: [left out]");
}

function describeError(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${describeError(error.cause)}` : "";
  return `${withoutParameters(error.stack ?? error.message)}${cause}`;
}
