import { resolveAppName } from "../../app-name.ts";
import { appArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { table } from "../../table.ts";

export default defineCommand({
  meta: { name: "keys list", description: "List the public keys that sign for an app" },
  args: appArgs,
  examples: [["aether keys list --app shop", "revoked ones included"]],
  async run(context) {
    const { config, output, signal } = context;
    const app = await resolveAppName(context);
    const keys = await createClient({ ...config, signal }).publicKeys(app);
    if (output.isJson) return output.json({ keys });
    if (keys.length === 0) return output.done(`${app} has no public keys. Add one with aether keys add.`);
    const rows = keys.map(({ public_key_hex, active, created_at, revoked_at }) => [
      public_key_hex,
      active ? "active" : `revoked ${revoked_at}`,
      created_at,
    ]);
    output.text(table(["PUBLIC KEY", "STATE", "ADDED"], rows));
  },
});
