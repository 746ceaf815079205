import { appArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { resolveDigest } from "../../find-digest.ts";
import { table } from "../../table.ts";

export default defineCommand({
  meta: { name: "artifacts show", description: "Show a stored artifact" },
  args: {
    digest: { type: "positional", required: true, description: "Its digest, or 6 or more of its first characters" },
    ...appArgs,
  },
  examples: [["aether artifacts show 9f86d081… --app shop", "who signed it, and whether that counts"]],
  async run({ args, config, output, signal }) {
    const client = createClient({ ...config, signal });
    const artifact = await client.artifact(await resolveDigest(client, args.digest, config.app), config.app);
    if (output.isJson) return output.json(artifact);
    const rows = [
      ["DIGEST", artifact.digest],
      ["BYTES", String(artifact.size_bytes)],
      ["STORED", artifact.completed_at],
      ["SIGNED BY", artifact.signed_by ?? "nobody"],
      ["VERIFIED", artifact.verified ? "yes: the key is active" : "no"],
    ];
    output.text(table(["APP", artifact.app], rows));
  },
});
