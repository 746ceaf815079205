import { longestLifeSecs, longestOverlapSecs } from "../../../core/access-token.ts";
import { serverArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { describeToken } from "../../describe-token.ts";
import { givenDuration } from "../../values.ts";

export default defineCommand({
  meta: { name: "tokens rotate", description: "Make an access token's successor; both work during the overlap" },
  args: {
    id: { type: "positional", required: true, description: "The old token's id, from aether tokens list" },
    overlap: { type: "string", valueHint: "duration", default: "1d", description: "How long the old one goes on" },
    "expires-in": { type: "string", valueHint: "duration", description: "Of the successor; default: as long a life" },
    ...serverArgs,
  },
  examples: [
    ["aether tokens rotate 2f1c1a52-7a0e-4c7b-9d3c-0a4f1c6f2b11 > token.txt", "a day to replace it everywhere"],
    ["aether tokens rotate 2f1c1a52-7a0e-4c7b-9d3c-0a4f1c6f2b11 --overlap 0s", "the old one ends now"],
  ],
  async run({ args, config, output, signal }) {
    const made = await createClient({ ...config, signal }).rotateToken(args.id, {
      overlap_secs: givenDuration("--overlap", args.overlap, overlap),
      ...(args["expires-in"] === undefined
        ? {}
        : { expires_in_secs: givenDuration("--expires-in", args["expires-in"], lifetime) }),
    });
    if (output.isJson) return output.json(made);
    output.done(`${describeToken(made)}; the old one ends at ${made.previous.expires_at}.`);
    output.text(`${made.token}\n`);
  },
});

const overlap = { min: 0, max: longestOverlapSecs, example: "2h" };
const lifetime = { min: 1, max: longestLifeSecs, example: "90d" };
