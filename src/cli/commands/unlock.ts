import { resolveAppName } from "../app-name.ts";
import { appArgs } from "../args.ts";
import { createClient } from "../client.ts";
import { defineCommand } from "../command.ts";

export default defineCommand({
  meta: { name: "unlock", description: "Let releases of an app be made again" },
  args: { name: { type: "positional", required: false, description: "The app" }, ...appArgs },
  examples: [["aether unlock shop", "whoever locked it"]],
  async run(context) {
    const { args, config, output, signal } = context;
    const app = await resolveAppName(context, args.name);
    const unlocked = await createClient({ ...config, signal }).unlock(app);
    if (output.isJson) return output.json(unlocked);
    output.done(`${app} is not locked.`);
  },
});
