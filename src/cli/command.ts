import type { ArgsDef, ParsedArgs } from "citty";
import type { CliConfig } from "../config/cli.ts";
import type { Output } from "./output.ts";

/** What every command is given: settings, output, and the signal that Ctrl-C aborts. */
export interface CommandContext {
  config: CliConfig;
  output: Output;
  signal: AbortSignal;
  cwd: string;
  env: Record<string, string | undefined>;
  /** What stands behind `--`, as it is; empty for a command without `passes`. */
  passed: string[];
}

export interface Command<A extends ArgsDef = ArgsDef> {
  meta: { name: string; description: string; alias?: string };
  args: A;
  /** Present: any number of arguments more, found in `args._` after the named ones. */
  rest?: { name: string; description: string };
  /** Present: what stands behind `--` is another program's, and not read. */
  passes?: { name: string; description: string };
  /** Whole command lines with what they do, shown by `--help`. */
  examples: [line: string, meaning: string][];
  /** A number is the exit code, where it is another program's. */
  run(context: CommandContext & { args: ParsedArgs<A> }): Promise<void> | Promise<number>;
}

/** The typed identity of a command; `citty` parses its arguments, `run.ts` calls it. */
export function defineCommand<const A extends ArgsDef>(command: Command<A>): Command<A> {
  return command;
}
