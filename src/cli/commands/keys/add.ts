import { readSigningKey } from "../../../config/signing-key.ts";
import { AetherError } from "../../../lib/errors.ts";
import { resolveAppName } from "../../app-name.ts";
import { appArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { givenPublicKey } from "../../values.ts";

export default defineCommand({
  meta: { name: "keys add", description: "Let a key sign for an app" },
  args: {
    key: { type: "positional", required: false, description: "The public key; default: that of AETHER_SIGNING_KEY" },
    ...appArgs,
  },
  examples: [
    ["aether keys add --app shop", "the key that this shell signs with"],
    ["aether keys add 3b6a27bc… --app shop", "another one: several may be active, which is how they are changed"],
  ],
  async run(context) {
    const { args, config, output, signal, env } = context;
    const app = await resolveAppName(context);
    const given = args.key;
    const key = given === undefined ? await ownKey(env) : givenPublicKey("The public key", given);
    const added = await createClient({ ...config, signal }).addPublicKey(app, key);
    if (output.isJson) return output.json(added);
    output.done(`${key} signs for ${app} from now on.`);
  },
});

async function ownKey(env: Record<string, string | undefined>): Promise<string> {
  const own = await readSigningKey(env);
  if (own) return own.publicKey;
  throw new AetherError("usage", "Which public key? None was named, and AETHER_SIGNING_KEY is not set.", {
    hint: "aether keys generate makes a pair and prints the public key.",
  });
}
