import { shortDigest } from "../../../core/digest.ts";
import { formatBytes } from "../../../lib/bytes.ts";
import { appArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { table } from "../../table.ts";

export default defineCommand({
  meta: { name: "artifacts list", description: "List stored artifacts, newest first" },
  args: appArgs,
  examples: [
    ["aether artifacts list", "of every app"],
    ["aether artifacts list --app shop --json", "whole digests, signatures and keys"],
  ],
  async run({ config, output, signal }) {
    const artifacts = await createClient({ ...config, signal }).artifacts(config.app);
    if (output.isJson) return output.json({ artifacts });
    if (artifacts.length === 0) return output.done("No artifacts are stored.");
    const rows = artifacts.map(({ app, digest, size_bytes, verified, signature, completed_at }) => [
      app,
      shortDigest(digest),
      formatBytes(size_bytes),
      verified ? "signed" : signature === null ? "no" : "key revoked",
      completed_at,
    ]);
    output.text(table(["APP", "DIGEST", "SIZE", "SIGNED", "STORED"], rows));
  },
});
