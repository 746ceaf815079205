import { resolveAppName } from "../app-name.ts";
import { appArgs } from "../args.ts";
import { defineCommand } from "../command.ts";
import { attach } from "../session/attach.ts";
import { nothingToRun } from "./exec.ts";

export default defineCommand({
  meta: {
    name: "run",
    description: "Run a command of what is deployed, in a replica of its own that no request reaches",
  },
  args: {
    name: { type: "positional", required: false, description: "The app" },
    tty: { type: "boolean", alias: "t", description: "In a terminal: for shells, and all that draws" },
    ...appArgs,
  },
  passes: { name: "command", description: "The command with its arguments; no shell reads it" },
  examples: [
    ["aether run -- node migrate.js", "with the release and the variables of what runs"],
    ["aether run shop -t -- node", "a console beside shop, also while that is scaled to 0"],
  ],
  async run(context) {
    const { args, config, signal, passed } = context;
    if (passed.length === 0) throw nothingToRun("run");
    const app = await resolveAppName(context, args.name);
    const path = `/apps/${encodeURIComponent(app)}/run/ws`;
    return await attach({ ...config, path, signal }, { command: passed, hasTerminal: args.tty === true });
  },
});
