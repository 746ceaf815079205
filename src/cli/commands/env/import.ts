import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parse } from "dotenv";
import { AetherError, systemCode } from "../../../lib/errors.ts";
import { appArgs } from "../../args.ts";
import { changeArgs, changeEnvironment } from "../../change-environment.ts";
import { defineCommand } from "../../command.ts";
import { decode, readInput } from "../../read-input.ts";

export default defineCommand({
  meta: { name: "env import", description: "Set the variables of a .env file; those that it does not name stay" },
  args: {
    file: { type: "positional", required: true, description: "The file, or - for standard input" },
    ...changeArgs,
    ...appArgs,
  },
  examples: [
    ["aether env import .env.production --app shop", "one release with all of them"],
    ["vault read … | aether env import -", "from another program"],
  ],
  async run(context) {
    const { args, cwd, output } = context;
    const text = args.file === "-" ? await readInput("The file") : await readText(resolve(cwd, args.file));
    const set = parse(text);
    if (Object.keys(set).length === 0) {
      throw new AetherError("usage", "No variable was found there.", { hint: "Lines look like KEY=value." });
    }
    for (const name of cutNames(text)) {
      output.warn(`${name}: what follows # is taken for a comment; quote the value if it is not.`);
    }
    await changeEnvironment(context, { set });
  },
});

async function readText(path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new AetherError("usage", `Cannot read ${path} (${systemCode(cause) ?? "unknown"}).`, { cause });
  });
  return decode(bytes, path);
}

/** Values without quotes end at a #, also in the middle of a password. */
function cutNames(text: string): string[] {
  const pattern = /^\s*(?:export\s+)?([\w.-]+)\s*=[ \t]*[^'"`\s#][^\n#]*(?<!\s)#/gm;
  return [...text.matchAll(pattern)].map(([, name = ""]) => name);
}
