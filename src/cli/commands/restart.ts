import { resolveAppName } from "../app-name.ts";
import { appArgs } from "../args.ts";
import { createClient } from "../client.ts";
import { defineCommand } from "../command.ts";
import { followRelease } from "../follow-release.ts";

export default defineCommand({
  meta: { name: "restart", description: "Release what runs again, with the app's variables as they are now" },
  args: {
    name: { type: "positional", required: false, description: "The app" },
    detach: { type: "boolean", description: "Do not wait until the release answers" },
    ...appArgs,
  },
  examples: [["aether restart shop", "new processes, without a gap"]],
  async run(context) {
    const { args, config, output, signal } = context;
    const app = await resolveAppName(context, args.name);
    const client = createClient({ ...config, signal });
    const made = await client.restart(app);
    const released = await followRelease({ app, ...made, detach: args.detach === true }, { ...context, client });
    if (output.isJson) output.json({ app, ...released });
  },
});
