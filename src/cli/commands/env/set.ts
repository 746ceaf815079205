import { AetherError } from "../../../lib/errors.ts";
import { appArgs } from "../../args.ts";
import { changeArgs, changeEnvironment } from "../../change-environment.ts";
import { defineCommand } from "../../command.ts";
import { readInput } from "../../read-input.ts";

export default defineCommand({
  meta: { name: "env set", description: "Set variables of an app, and release what runs again with them" },
  args: { ...changeArgs, ...appArgs },
  rest: { name: "KEY=value", description: "What to set; KEY alone takes its value from standard input" },
  examples: [
    ["aether env set COLOR=red SIZE=9 --app shop", "two at once, one release"],
    ["aether env set TLS_KEY < key.pem", "a secret, or several lines: out of your shell's history"],
    ["aether env set COLOR=red --no-deploy", "for the next release"],
  ],
  async run(context) {
    const given = context.args._;
    if (given.length === 0) throw usage("Nothing to set was named.");
    await changeEnvironment(context, { set: await parsePairs(given) });
  },
});

async function parsePairs(given: string[]): Promise<Record<string, string>> {
  const piped = given.filter((pair) => !pair.includes("="));
  if (piped.length > 1)
    throw usage(`Only one value can come from standard input, and ${piped.join(" and ")} have none.`);
  const pairs = given.map((pair) => {
    const at = pair.indexOf("=");
    return at < 0 ? ([pair, undefined] as const) : ([pair.slice(0, at), pair.slice(at + 1)] as const);
  });
  const set = new Map<string, string>();
  for (const [name, value] of pairs) {
    if (set.has(name)) throw usage(`${name} is given twice.`);
    set.set(name, value ?? withoutLastNewline(await readInput(`The value of ${name}`)));
  }
  return Object.fromEntries(set);
}

/** `echo` and editors add one that nobody means; of a file with several lines it is part. */
function withoutLastNewline(text: string): string {
  const line = text.replace(/\r?\n$/, "");
  return line.includes("\n") ? text : line;
}

const usage = (message: string): AetherError =>
  new AetherError("usage", message, { hint: "Such as aether env set COLOR=red; aether env set --help shows more." });
