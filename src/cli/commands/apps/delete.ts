import { createInterface } from "node:readline/promises";
import { AetherError } from "../../../lib/errors.ts";
import { serverArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { givenAppName } from "../../values.ts";

export default defineCommand({
  meta: { name: "apps delete", description: "Delete an app: what runs, its artifacts, deployments and keys" },
  args: {
    name: { type: "positional", required: true, description: "The app" },
    yes: { type: "boolean", description: "Do not ask" },
    ...serverArgs,
  },
  examples: [
    ["aether apps delete shop", "asks for its name once more"],
    ["aether apps delete shop --yes", "for scripts"],
  ],
  // The app is never taken from the folder or the environment: this cannot be undone.
  async run({ args, config, output, signal }) {
    const name = givenAppName("The app", args.name);
    const client = createClient({ ...config, signal });
    await client.app(name);
    if (args.yes !== true) await confirm(name, signal);
    await client.deleteApp(name);
    if (output.isJson) return output.json({ app: name, deleted: true });
    output.done(`${name} is deleted.`);
  },
});

async function confirm(name: string, signal: AbortSignal): Promise<void> {
  if (process.stdin.isTTY !== true) {
    throw new AetherError("usage", `Deleting ${name} cannot be undone, and nobody is there to be asked.`, {
      hint: "Add --yes if you mean it.",
    });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const question = `This deletes ${name} with all its artifacts and deployments. Type its name to go on: `;
    const left = new AbortController(); // Ctrl-C and Ctrl-D: in raw mode a terminal sends no signal
    for (const event of ["SIGINT", "close"]) terminal.once(event, () => left.abort());
    const typed = await terminal.question(question, { signal: AbortSignal.any([signal, left.signal]) }).catch(() => {
      throw signal.aborted ? signal.reason : new AetherError("interrupted", `Nobody answered: ${name} stays.`);
    });
    if (typed.trim() !== name) throw new AetherError("usage", `That is not its name: ${name} stays.`);
  } finally {
    terminal.close();
  }
}
