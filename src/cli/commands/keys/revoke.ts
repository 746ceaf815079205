import { resolveAppName } from "../../app-name.ts";
import { appArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { givenPublicKey } from "../../values.ts";

export default defineCommand({
  meta: { name: "keys revoke", description: "Revoke a key for ever: what it signed counts as unsigned" },
  args: { key: { type: "positional", required: true, description: "The public key" }, ...appArgs },
  examples: [["aether keys revoke 3b6a27bc… --app shop", "deploy again with another key to go on"]],
  async run(context) {
    const { args, config, output, signal } = context;
    const app = await resolveAppName(context);
    const key = givenPublicKey("The public key", args.key);
    await createClient({ ...config, signal }).revokePublicKey(app, key);
    if (output.isJson) return output.json({ app, public_key_hex: key, active: false });
    output.done(`${key} no longer signs for ${app}. What it signed runs on until it is started again.`);
  },
});
