import { parseDigest } from "../../../core/digest.ts";
import { AetherError } from "../../../lib/errors.ts";
import { appArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { table } from "../../table.ts";

export default defineCommand({
  meta: { name: "artifacts show", description: "Show a stored artifact" },
  args: { digest: { type: "positional", description: "Its digest" }, ...appArgs },
  examples: [["aether artifacts show 9f86d081… --app shop", "who signed it, and whether that counts"]],
  async run({ args, config, output, signal }) {
    const digest = parseGivenDigest(args.digest);
    const artifact = await createClient({ ...config, signal }).artifact(digest, config.app);
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

function parseGivenDigest(value: unknown): string {
  try {
    return parseDigest(value, { prefix: true });
  } catch (error) {
    if (error instanceof AetherError) throw new AetherError("usage", error.message, { hint: error.hint });
    throw error;
  }
}
