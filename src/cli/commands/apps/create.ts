import { resolveAppName } from "../../app-name.ts";
import { appArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";

export default defineCommand({
  meta: { name: "apps create", description: "Create an app before its first deploy, to give it keys or limits" },
  args: { name: { type: "positional", required: false, description: "The app" }, ...appArgs },
  examples: [["aether apps create shop", "a deploy makes it as well"]],
  async run(context) {
    const { args, config, output, signal } = context;
    const app = await createClient({ ...config, signal }).createApp(await resolveAppName(context, args.name));
    if (output.isJson) return output.json(app);
    output.done(`${app.name} is there.`);
  },
});
