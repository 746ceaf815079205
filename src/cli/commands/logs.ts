import type { LogLine } from "../../core/log-line.ts";
import { parseSince } from "../../lib/durations.ts";
import { AetherError } from "../../lib/errors.ts";
import { networkReason } from "../../lib/network-reason.ts";
import { resolveAppName } from "../app-name.ts";
import { appArgs } from "../args.ts";
import { createClient, isOfType, notAether } from "../client.ts";
import { defineCommand } from "../command.ts";
import { ndjson } from "../ndjson.ts";
import { parseGiven } from "../usage.ts";
import { givenNumber } from "../values.ts";

export default defineCommand({
  meta: { name: "logs", description: "Show an application's output" },
  args: {
    name: { type: "positional", required: false, description: "The app" },
    follow: { type: "boolean", alias: "f", description: "Keep showing new lines until Ctrl-C" },
    tail: { type: "string", valueHint: "n", description: "Only the last n lines (default: 100, all with --since)" },
    since: { type: "string", valueHint: "time", description: "Only newer lines: 30s, 5m, 2h, 1d, or an RFC 3339 time" },
    ...appArgs,
  },
  examples: [
    ["aether logs", "the last lines of the application in this folder"],
    ["aether logs shop -f", "follow shop"],
    ["aether logs shop --since 5m --json", "one JSON object a line, with time, replica and stream"],
  ],
  async run(context) {
    const { args, config, output, signal } = context;
    const app = await resolveAppName(context, args.name);
    const query = logQuery(args);
    const client = createClient({ ...config, signal });
    await client.capabilities(); // a stream may be silent for hours; whether a server is there shows here, in time
    const response = await client.open(`/apps/${encodeURIComponent(app)}/logs?${query}`, {
      headers: { accept: "application/x-ndjson" },
      timeout: false,
    });
    if (!isOfType(response, "application/x-ndjson")) throw notAether(config.server);
    try {
      for await (const line of ndjson<LogLine>(response))
        output.text(output.isJson ? `${JSON.stringify(line)}\n` : `${line.line}\n`);
    } catch (error) {
      if (signal.aborted) return; // Ctrl-C is how following ends
      throw new AetherError("unreachable", `The connection to ${config.server} broke: ${networkReason(error)}.`, {
        cause: error,
        hint: followHint,
      });
    }
    if (!args.follow || signal.aborted) return;
    throw new AetherError("unreachable", `The server ${config.server} stopped, and following with it.`, {
      hint: followHint,
    });
  },
});

const followHint = "Run the command again once the server runs; --since 5m shows what was missed.";

interface LogArgs {
  follow?: boolean | undefined;
  tail?: string | undefined;
  since?: string | undefined;
}

function logQuery(args: LogArgs): URLSearchParams {
  const query = new URLSearchParams({ format: "ndjson" });
  if (args.follow) query.set("follow", "1");
  const { since } = args;
  if (since !== undefined) {
    query.set("since", parseGiven('"--since"', () => parseSince(since, new Date())).toISOString());
  }
  if (args.tail !== undefined) givenNumber("--tail", args.tail, { min: 0, max: 999_999, example: 100 });
  const tail = args.tail ?? (args.since === undefined ? "100" : undefined);
  if (tail !== undefined) query.set("tail_lines", tail);
  return query;
}
