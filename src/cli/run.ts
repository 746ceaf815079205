import { readCliConfig } from "../config/cli.ts";
import { version } from "../core/version.ts";
import { AetherError } from "../lib/errors.ts";
import { findCommand } from "./find-command.ts";
import { commandHelp, nounHelp, rootHelp } from "./help.ts";
import { createOutput, type Output } from "./output.ts";
import { parseArguments, splitPassed, wantsHelp, wantsJson } from "./parse-arguments.ts";

export interface ProcessEnvironment {
  env: Record<string, string | undefined>;
  cwd: string;
}

/** Runs one command line and returns the exit code. Every failure of every command is reported here and nowhere else. */
export async function run(argv: string[], { env, cwd }: ProcessEnvironment): Promise<number> {
  const output = createOutput({ json: wantsJson(argv), env });
  const interrupt = new AbortController();
  const release = onInterrupt(() => interrupt.abort(new AetherError("interrupted", "Interrupted.")));
  try {
    return await dispatch(argv, { env, cwd, output, signal: interrupt.signal });
  } catch (thrown) {
    const isInterrupted = interrupt.signal.aborted && !isInterruption(thrown);
    return report(isInterrupted ? interrupt.signal.reason : thrown, output);
  } finally {
    release();
    await output.flush();
  }
}

async function dispatch(
  argv: string[],
  { env, cwd, output, signal }: ProcessEnvironment & { output: Output; signal: AbortSignal },
): Promise<number> {
  const [first, ...others] = argv;
  if (first === undefined || first === "--help" || first === "-h") return said(output, rootHelp());
  if (first === "help") return said(output, await helpOn(others));
  if (first === "--version" || first === "-v") return said(output, `${version}\n`);
  const found = findCommand(argv);
  if ("noun" in found) return said(output, nounHelp(found.name, found.noun));
  const command = (await found.verb.load()).default;
  if (wantsHelp(found.rest)) return said(output, commandHelp(command, found.others));
  const { own, passed } = splitPassed(command, found.rest);
  const args = parseArguments(command, own);
  output.configure({ quiet: args.quiet === true });
  const config = await readCliConfig({ env, flags: args });
  const code = await command.run({ args, config, output, signal, cwd, env, passed });
  return typeof code === "number" ? code : 0;
}

function said(output: Output, text: string): number {
  output.text(text);
  return 0;
}

async function helpOn(topic: string[]): Promise<string> {
  if (topic.length === 0) return rootHelp();
  const found = findCommand(topic);
  return "noun" in found
    ? nounHelp(found.name, found.noun)
    : commandHelp((await found.verb.load()).default, found.others);
}

/** What a command that was interrupted says itself, with what it had done by then. */
const isInterruption = (thrown: unknown): boolean => thrown instanceof AetherError && thrown.code === "interrupted";

function report(error: unknown, output: Output): number {
  if (error instanceof AetherError) {
    output.failure(error);
    return error.exitCode;
  }
  output.bug(error);
  return 1;
}

/** The first Ctrl-C asks the command to end; the second one ends the process at once, as people expect. */
function onInterrupt(interrupted: () => void): () => void {
  const first = () => {
    process.removeListener("SIGINT", first);
    process.removeListener("SIGTERM", first);
    interrupted();
  };
  process.on("SIGINT", first);
  process.on("SIGTERM", first);
  return () => {
    process.removeListener("SIGINT", first);
    process.removeListener("SIGTERM", first);
  };
}
