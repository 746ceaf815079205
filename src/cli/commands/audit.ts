import { auditActionPattern, auditSubjectPattern } from "../../core/events.ts";
import { parseSince } from "../../lib/durations.ts";
import { appArgs } from "../args.ts";
import { createClient } from "../client.ts";
import { defineCommand } from "../command.ts";
import { table } from "../table.ts";
import { badValue, parseGiven } from "../usage.ts";
import { givenNumber } from "../values.ts";

export default defineCommand({
  meta: { name: "audit", description: "Show who changed what, newest first" },
  args: {
    ...appArgs,
    app: { type: "string", valueHint: "name", description: "Only this app (AETHER_APP; default: all you may read)" },
    action: { type: "string", valueHint: "name", description: "Only this, such as deployment.failed" },
    subject: { type: "string", valueHint: "id", description: "Only this deployment, artifact or app" },
    since: { type: "string", valueHint: "time", description: "Only newer lines: 30s, 5m, 2h, 1d, or an RFC 3339 time" },
    limit: { type: "string", valueHint: "n", default: "50", description: "At most so many lines (up to 1000)" },
  },
  examples: [
    ["aether audit", "what happened last"],
    ["aether audit --app shop --since 1d", "of one app, since yesterday"],
    ["aether audit --action deployment.failed --json", "for scripts"],
  ],
  async run({ args, config, output, signal }) {
    const limit = givenNumber("--limit", args.limit, { min: 1, max: 1000, example: 50 });
    const query = new URLSearchParams({ limit: String(limit) });
    const { since } = args;
    if (since !== undefined) {
      query.set("since", parseGiven('"--since"', () => parseSince(since, new Date())).toISOString());
    }
    const filters = { app: config.app, action: givenAction(args.action), subject: givenSubject(args.subject) };
    for (const [name, value] of Object.entries(filters)) if (value !== undefined) query.set(name, value);
    const lines = await createClient({ ...config, signal }).audit(query);
    if (output.isJson) return output.json({ audit: lines });
    if (lines.length === 0) return output.done("Nothing of that kind has happened.");
    const rows = lines.map(({ at, app, action, subject, before, actor }) => {
      return [at, app ?? "-", action, before === null ? "-" : before, actor, subject.id];
    });
    output.text(table(["TIME", "APP", "ACTION", "BEFORE", "BY", "SUBJECT"], rows));
  },
});

function givenAction(given: string | undefined): string | undefined {
  if (given === undefined || auditActionPattern.test(given)) return given;
  const hint = "For example: --action deployment.failed.";
  throw badValue({ of: "--action", given, why: "it takes a noun, a dot and what became of it", hint });
}

function givenSubject(given: string | undefined): string | undefined {
  if (given === undefined || auditSubjectPattern.test(given)) return given;
  const why = "it takes the id of a deployment, an artifact or an app";
  throw badValue({ of: "--subject", given, why, hint: "aether audit shows the ids in its last column." });
}
