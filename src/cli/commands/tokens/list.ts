import type { TokenView } from "../../../core/wire.ts";
import { serverArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { table } from "../../table.ts";

export default defineCommand({
  meta: { name: "tokens list", description: "List the access tokens made here, without what they are" },
  args: serverArgs,
  examples: [
    ["aether tokens list", "a table, newest first"],
    ["aether tokens list --json | jq '.tokens[] | select(.last_used_at == null)'", "those that nobody uses"],
  ],
  async run({ config, output, signal }) {
    const tokens = await createClient({ ...config, signal }).tokens();
    if (output.isJson) return output.json({ tokens });
    if (tokens.length === 0) return output.done("There are no tokens yet. Make one with aether tokens create.");
    const rows = tokens.map((token) => [
      token.id,
      token.name,
      token.role,
      token.apps?.join(",") ?? "all",
      stateOf(token, new Date()),
      token.expires_at ?? "never",
      token.last_used_at ?? "never",
    ]);
    output.text(table(["ID", "NAME", "ROLE", "APPS", "STATE", "EXPIRES", "LAST USED"], rows));
  },
});

function stateOf({ revoked_at, expires_at }: TokenView, now: Date): string {
  if (revoked_at !== null) return "revoked";
  return expires_at !== null && new Date(expires_at) <= now ? "expired" : "active";
}
