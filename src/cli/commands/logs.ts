import { type LogLine, printed } from "../../core/log-line.ts";
import { parseSince } from "../../lib/durations.ts";
import { AetherError } from "../../lib/errors.ts";
import { networkReason } from "../../lib/network-reason.ts";
import { resolveAppName } from "../app-name.ts";
import { appArgs } from "../args.ts";
import { createClient, isNotFound, isOfType, notAether } from "../client.ts";
import { defineCommand } from "../command.ts";
import { followLogs } from "../follow-logs.ts";
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
    container: { type: "string", valueHint: "name", description: "Another container: fetch brings the release" },
    previous: { type: "boolean", description: "The run of each container before this one (Kubernetes)" },
    ...appArgs,
  },
  examples: [
    ["aether logs", "the last lines of the application in this folder"],
    ["aether logs shop -f", "follow shop"],
    ["aether logs shop --previous", "what a container wrote before it was started again"],
    ["aether logs shop --since 5m --json", "one JSON object a line, with time, replica and stream"],
  ],
  async run(context) {
    const { args, config, output, signal } = context;
    const app = await resolveAppName(context, args.name);
    const query = logQuery(args);
    const client = createClient({ ...config, signal });
    await client.capabilities(); // a stream may be silent for hours; whether a server is there shows here, in time
    const open = async (since?: string): Promise<Response> => {
      const wanted = new URLSearchParams(query);
      if (since !== undefined) {
        wanted.set("since", since);
        wanted.delete("tail_lines");
      }
      const response = await client.open(`/apps/${encodeURIComponent(app)}/logs?${wanted}`, {
        headers: { accept: "application/x-ndjson" },
        timeout: false,
      });
      if (isOfType(response, "application/x-ndjson")) return response;
      throw notAether(config.server);
    };
    const show = (line: LogLine) => output.text(`${output.isJson ? JSON.stringify(line) : printed(line)}\n`);
    let hasBegun = false;
    const onBreak = (error: unknown) => output.warn(`${brokenText(config.server, error)} Trying again.`);
    try {
      const lines = args.follow
        ? followLogs({ open, signal, hasSince: args.since !== undefined, onBreak })
        : ndjson<LogLine>(await open());
      for await (const line of lines) {
        hasBegun = true;
        show(line);
      }
    } catch (error) {
      if (signal.aborted) return; // Ctrl-C is how following ends
      if (args.follow && hasBegun && isNotFound(error)) return output.done(`The app "${app}" was deleted.`);
      if (error instanceof AetherError && error.code !== "unreachable") throw error;
      if (!hasBegun && error instanceof AetherError) throw error;
      throw new AetherError("unreachable", brokenText(config.server, error), { cause: error, hint: followHint });
    }
  },
});

const followHint = "Run the command again once the server runs; --since 5m shows what was missed.";

function brokenText(server: string, error: unknown): string {
  if (error instanceof AetherError) return error.message;
  return `The connection to ${server} broke: ${networkReason(error)}.`;
}

interface LogArgs {
  follow?: boolean | undefined;
  tail?: string | undefined;
  container?: string | undefined;
  previous?: boolean | undefined;
  since?: string | undefined;
}

function logQuery(args: LogArgs): URLSearchParams {
  const query = new URLSearchParams({ format: "ndjson" });
  if (args.follow && args.previous) {
    throw new AetherError("usage", "--follow and --previous do not go together.", {
      hint: "A run that has ended writes nothing more: leave out --follow.",
    });
  }
  if (args.follow) query.set("follow", "1");
  if (args.previous) query.set("previous", "1");
  if (args.container !== undefined) query.set("container", args.container);
  const { since } = args;
  if (since !== undefined) {
    query.set("since", parseGiven('"--since"', () => parseSince(since, new Date())).toISOString());
  }
  if (args.tail !== undefined) givenNumber("--tail", args.tail, { min: 0, max: 999_999, example: 100 });
  const tail = args.tail ?? (args.since === undefined ? "100" : undefined);
  if (tail !== undefined) query.set("tail_lines", tail);
  return query;
}
