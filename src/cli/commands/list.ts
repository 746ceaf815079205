import type { ListedAppView } from "../../core/wire.ts";
import { serverArgs } from "../args.ts";
import { createClient } from "../client.ts";
import { defineCommand } from "../command.ts";
import { table } from "../table.ts";

export default defineCommand({
  meta: { name: "list", description: "List the applications, with what runs" },
  args: serverArgs,
  examples: [
    ["aether list", "a table"],
    ["aether list --json | jq '.apps[].name'", "for scripts"],
  ],
  async run({ config, output, signal }) {
    const client = createClient({ ...config, signal });
    const apps = await client.apps();
    if (output.isJson) return output.json({ apps });
    if (apps.length === 0) return output.done("There are no applications yet. Deploy one with aether deploy.");
    const rows = apps.map(({ name, url, deployment }) => {
      return [name, deployment ? `v${deployment.version}` : "-", statusOf(deployment), url ?? "-"];
    });
    output.text(table(["APP", "VERSION", "STATUS", "URL"], rows));
  },
});

function statusOf(deployment: ListedAppView["deployment"]): string {
  if (deployment === null) return "never deployed";
  const { status, failure_reason } = deployment;
  if (failure_reason === null) return status;
  return status === "running" ? `does not answer: ${failure_reason}` : `${status}: ${failure_reason}`;
}
