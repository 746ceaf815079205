import { serverArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { table } from "../../table.ts";

export default defineCommand({
  meta: { name: "apps list", description: "List the apps with their addresses" },
  args: serverArgs,
  examples: [["aether apps list --json | jq -r '.apps[].name'", "for scripts"]],
  async run({ config, output, signal }) {
    const apps = await createClient({ ...config, signal }).apps();
    if (output.isJson) return output.json({ apps });
    if (apps.length === 0) return output.done("There are no apps yet. The first deploy makes one.");
    const rows = apps.map(({ name, url, created_at }) => [name, url ?? "-", created_at]);
    output.text(table(["APP", "URL", "CREATED"], rows));
  },
});
