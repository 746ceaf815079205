import { shortDigest } from "../../core/digest.ts";
import type { ReleaseView } from "../../core/wire.ts";
import { resolveAppName } from "../app-name.ts";
import { appArgs } from "../args.ts";
import { createClient } from "../client.ts";
import { defineCommand } from "../command.ts";
import { table } from "../table.ts";
import { givenNumber } from "../values.ts";

export default defineCommand({
  meta: { name: "releases", description: "List an app's releases, newest first" },
  args: {
    name: { type: "positional", required: false, description: "The app" },
    limit: { type: "string", valueHint: "n", default: "20", description: "How many" },
    ...appArgs,
  },
  examples: [
    ["aether releases shop", "what one could roll back to"],
    ["aether releases shop --json | jq '.releases[] | select(.running_at)'", "those that ran"],
  ],
  async run(context) {
    const { args, config, output, signal } = context;
    const app = await resolveAppName(context, args.name);
    const releases = await createClient({ ...config, signal }).releases(
      app,
      givenNumber("--limit", args.limit, { min: 1, max: 1_000, example: 50 }),
    );
    if (output.isJson) return output.json({ app, releases });
    if (releases.length === 0) return output.done(`${app} has no releases yet. Deploy it with aether deploy.`);
    output.text(table(["VERSION", "STATUS", "DIGEST", "MADE BY", "AT", "WHAT"], releases.map(rowOf)));
  },
});

function rowOf(release: ReleaseView): string[] {
  const { version, status, failure_reason, digest, created_by, created_at } = release;
  const state = failure_reason === null ? status : `${status} (${failure_reason})`;
  return [`v${version}`, state, shortDigest(digest), created_by ?? "-", created_at, whatOf(release)];
}

function whatOf({ origin, origin_version, changed_variables }: ReleaseView): string {
  const what = origin === "rollback" ? `rollback to v${origin_version}` : origin;
  const names = changed_variables ?? [];
  return names.length === 0 ? what : `${what}; changes ${names.join(", ")}`;
}
