import { AetherError } from "../../lib/errors.ts";
import { resolveAppName } from "../app-name.ts";
import { appArgs } from "../args.ts";
import { createClient } from "../client.ts";
import { defineCommand } from "../command.ts";

export default defineCommand({
  meta: { name: "lock", description: "Let nothing of an app be released until it is unlocked" },
  args: {
    name: { type: "positional", required: false, description: "The app" },
    reason: { type: "string", valueHint: "text", description: "Why; whoever deploys meanwhile is told" },
    ...appArgs,
  },
  examples: [['aether lock shop --reason "we migrate the database"', "until aether unlock shop"]],
  async run(context) {
    const { args, config, output, signal } = context;
    if (args.reason === undefined) {
      throw new AetherError("usage", `"--reason" is missing.`, {
        hint: "Whoever is kept from deploying wants to know.",
      });
    }
    const app = await resolveAppName(context, args.name);
    const locked = await createClient({ ...config, signal }).lock(app, args.reason);
    if (output.isJson) return output.json(locked);
    output.done(`${app} is locked until aether unlock ${app}.`);
  },
});
