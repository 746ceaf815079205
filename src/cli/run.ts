import { readCliConfig } from "../config/cli.ts";
import { version } from "../core/version.ts";
import { AetherError } from "../lib/errors.ts";
import { didYouMean } from "../lib/nearest.ts";
import { commands, isCommandName } from "./commands/index.ts";
import { commandHelp, rootHelp } from "./help.ts";
import { createOutput, type Output } from "./output.ts";
import { parseArguments, wantsHelp, wantsJson } from "./parse-arguments.ts";

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
    await dispatch(argv, { env, cwd, output, signal: interrupt.signal });
    return 0;
  } catch (thrown) {
    return report(interrupt.signal.aborted ? interrupt.signal.reason : thrown, output);
  } finally {
    release();
    await output.flush();
  }
}

async function dispatch(
  [name, ...rest]: string[],
  { env, cwd, output, signal }: ProcessEnvironment & { output: Output; signal: AbortSignal },
): Promise<void> {
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    const topic = name === "help" ? rest[0] : undefined;
    if (topic === undefined || !isCommandName(topic)) return output.text(rootHelp());
    return output.text(commandHelp((await commands[topic].load()).default));
  }
  if (name === "--version" || name === "-v") return output.text(`${version}\n`);
  if (!isCommandName(name)) throw unknownCommand(name);
  const command = (await commands[name].load()).default;
  if (wantsHelp(rest)) return output.text(commandHelp(command));
  const args = parseArguments(command, rest);
  output.configure({ quiet: args.quiet === true });
  const config = await readCliConfig({ env, flags: args });
  await command.run({ args, config, output, signal, cwd, env });
}

function unknownCommand(name: string): AetherError {
  const isFlag = name.startsWith("-");
  return new AetherError("usage", `There is no ${isFlag ? "flag" : "command"} "${name}".`, {
    hint: didYouMean(name, Object.keys(commands)) ?? "Run aether --help to see the commands.",
  });
}

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
