import type { WebhookView } from "../../../core/events.ts";
import { serverArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { table } from "../../table.ts";

export default defineCommand({
  meta: { name: "webhooks list", description: "List who is told of events" },
  args: serverArgs,
  examples: [
    ["aether webhooks list", "a table"],
    ["aether webhooks list --json | jq '.webhooks[].url'", "for scripts"],
  ],
  async run({ config, output, signal }) {
    const webhooks = await createClient({ ...config, signal }).webhooks();
    if (output.isJson) return output.json({ webhooks });
    if (webhooks.length === 0) return output.done("There are no webhooks. Make one with aether webhooks create.");
    const rows = webhooks.map((webhook) => [
      ...[webhook.id, webhook.app ?? "all", webhook.events.join(","), stateOf(webhook)],
      webhook.url,
    ]);
    output.text(table(["ID", "APP", "EVENTS", "STATE", "URL"], rows));
    for (const { id, disabled_reason: why } of webhooks) if (why) output.warn(`The webhook ${id} is disabled: ${why}`);
  },
});

function stateOf({ active, failing_since: since }: WebhookView): string {
  if (!active) return "disabled";
  return since ? `failing since ${since}` : "active";
}
