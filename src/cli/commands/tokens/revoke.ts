import { serverArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { describeToken } from "../../describe-token.ts";

export default defineCommand({
  meta: { name: "tokens revoke", description: "End an access token: every server refuses it within five seconds" },
  args: { id: { type: "positional", required: true, description: "Its id, from aether tokens list" }, ...serverArgs },
  examples: [["aether tokens revoke 2f1c1a52-7a0e-4c7b-9d3c-0a4f1c6f2b11", "at once, and for ever"]],
  async run({ args, config, output, signal }) {
    const token = await createClient({ ...config, signal }).revokeToken(args.id);
    if (output.isJson) return output.json(token);
    output.done(`${describeToken(token)} is revoked.`);
  },
});
