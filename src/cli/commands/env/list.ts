import { resolveAppName } from "../../app-name.ts";
import { appArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { table } from "../../table.ts";

export default defineCommand({
  meta: { name: "env list", description: "List an app's variables, without their values" },
  args: {
    name: { type: "positional", required: false, description: "The app" },
    reveal: { type: "boolean", description: "With their values; the audit says that you asked" },
    ...appArgs,
  },
  examples: [
    ["aether env list shop", "what is set, when and by whom"],
    ["aether env list shop --reveal --json", "the values, exactly"],
  ],
  async run(context) {
    const { args, config, output, signal } = context;
    const app = await resolveAppName(context, args.name);
    const reveal = args.reveal === true;
    const variables = await createClient({ ...config, signal }).variables(app, reveal);
    if (output.isJson) return output.json({ app, variables });
    if (variables.length === 0) return output.done(`${app} has no variables. Set one with aether env set KEY=value.`);
    const rows = variables.map(({ name, value, updated_at, updated_by }) => [
      name,
      ...(reveal ? [shown(value ?? "")] : []),
      updated_at,
      updated_by,
    ]);
    output.text(table(["NAME", ...(reveal ? ["VALUE"] : []), "SET AT", "BY"], rows));
  },
});

/** On one line, and without what a terminal would take for a command; --json is exact. */
const shown = (value: string): string => (/^[^\p{Cc}"]*$/u.test(value) ? value : JSON.stringify(value));
