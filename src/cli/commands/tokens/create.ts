import { roles } from "../../../core/roles.ts";
import { parseDurationSecs } from "../../../lib/durations.ts";
import { AetherError } from "../../../lib/errors.ts";
import { serverArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { describeToken } from "../../describe-token.ts";

export default defineCommand({
  meta: { name: "tokens create", description: "Make an access token; it is printed once, alone on standard output" },
  args: {
    name: { type: "positional", required: true, description: "Who or what will use it; the audit names it" },
    role: { type: "enum", options: [...roles], description: "What it may do" },
    apps: { type: "string", valueHint: "names", description: "The apps it is for, separated by commas; default: all" },
    "expires-in": { type: "string", valueHint: "duration", description: "Such as 12h or 90d; default: never" },
    ...serverArgs,
  },
  examples: [
    ["aether tokens create ci --role deployer --apps shop,blog --expires-in 90d", "for a pipeline of two apps"],
    ["aether tokens create ada --role reader > token.txt", "to read everything"],
  ],
  async run({ args, config, output, signal }) {
    if (args.role === undefined) {
      throw new AetherError("usage", `"--role" is missing.`, { hint: `It is one of ${roles.join(", ")}.` });
    }
    const wanted = {
      name: args.name,
      role: args.role,
      ...(args.apps === undefined ? {} : { apps: args.apps.split(",").map((app) => app.trim()) }),
      ...(args["expires-in"] === undefined
        ? {}
        : { expires_in_secs: parseDurationSecs(args["expires-in"], "--expires-in") }),
    };
    const made = await createClient({ ...config, signal }).createToken(wanted);
    if (output.isJson) return output.json(made);
    output.done(`${describeToken(made)}. This is the only time it is shown.`);
    output.text(`${made.token}\n`);
  },
});
