import { AetherError } from "../../lib/errors.ts";
import { resolveAppName } from "../app-name.ts";
import { appArgs } from "../args.ts";
import { defineCommand } from "../command.ts";
import { attach } from "../session/attach.ts";

export default defineCommand({
  meta: { name: "exec", description: "Run a command in a replica of an application, where that runs" },
  args: {
    name: { type: "positional", required: false, description: "The app" },
    tty: { type: "boolean", alias: "t", description: "In a terminal: for shells, and all that draws" },
    replica: { type: "string", valueHint: "name", description: "Which one, as aether status shows it (default: any)" },
    ...appArgs,
  },
  passes: { name: "command", description: "The command with its arguments; no shell reads it" },
  examples: [
    ["aether exec -- node --version", "in the application of this folder"],
    ["aether exec shop -t -- sh", "a shell in shop"],
    ["aether exec shop -- sh -c 'cat > /tmp/in' < file", "sends what stands on stdin"],
  ],
  async run(context) {
    const { args, config, signal, passed } = context;
    if (passed.length === 0) throw nothingToRun("exec");
    const app = await resolveAppName(context, args.name);
    const query = args.replica === undefined ? "" : `?replica=${encodeURIComponent(args.replica)}`;
    const path = `/apps/${encodeURIComponent(app)}/exec/ws${query}`;
    return await attach({ ...config, path, signal }, { command: passed, hasTerminal: args.tty === true });
  },
});

/** Of `aether exec` and `aether run` without a command. */
export function nothingToRun(verb: string): AetherError {
  return new AetherError("usage", "There is no command to run.", {
    hint: `It stands behind two dashes: aether ${verb} [app] -- node --version`,
  });
}
