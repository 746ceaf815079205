import { serverArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";

export default defineCommand({
  meta: { name: "webhooks remove", description: "Send no more events to a URL" },
  args: {
    id: { type: "positional", required: true, description: "The webhook, as aether webhooks list names it" },
    ...serverArgs,
  },
  examples: [["aether webhooks remove 0d6c…", "with what was still to be sent"]],
  async run({ args, config, output, signal }) {
    await createClient({ ...config, signal }).removeWebhook(args.id);
    if (output.isJson) return output.json({ id: args.id, removed: true });
    output.done(`Removed the webhook ${args.id}.`);
  },
});
