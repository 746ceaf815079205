import { longestLifeSecs, tokenNamePattern } from "../../../core/access-token.ts";
import { roles } from "../../../core/roles.ts";
import { AetherError } from "../../../lib/errors.ts";
import { serverArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { describeToken } from "../../describe-token.ts";
import { badValue } from "../../usage.ts";
import { givenAppName, givenDuration } from "../../values.ts";

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
      name: givenName(args.name),
      role: args.role,
      ...(args.apps === undefined ? {} : { apps: givenApps(args.apps) }),
      ...(args["expires-in"] === undefined
        ? {}
        : { expires_in_secs: givenDuration("--expires-in", args["expires-in"], lifetime) }),
    };
    const made = await createClient({ ...config, signal }).createToken(wanted);
    if (output.isJson) return output.json(made);
    output.done(`${describeToken(made)}. This is the only time it is shown.`);
    output.text(`${made.token}\n`);
  },
});

const lifetime = { min: 1, max: longestLifeSecs, example: "90d" };

const givenApps = (list: string): string[] => list.split(",").map((app) => givenAppName("--apps", app.trim()));

function givenName(given: string): string {
  if (tokenNamePattern.test(given)) return given;
  throw badValue({
    of: "The token's name",
    given,
    why: "it takes 1 to 100 printable characters",
    hint: "For example: aether tokens create ci --role deployer.",
  });
}
