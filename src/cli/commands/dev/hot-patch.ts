import { serverArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { currentOf, readHistory, runningOf } from "../../dev/history.ts";
import { loadDigest } from "../../dev/load-digest.ts";
import { resolveDigest } from "../../find-digest.ts";
import { givenAppName } from "../../values.ts";

export default defineCommand({
  meta: { name: "dev hot-patch", description: "Load a stored artifact into the replicas that run" },
  args: {
    name: { type: "positional", required: true, description: "The app" },
    digest: {
      type: "positional",
      required: true,
      description: "Of a stored artifact, also with sha256: before it, or its first characters",
    },
    ...serverArgs,
  },
  examples: [["aether dev hot-patch shop 3f9a2c71d04b", "what aether dev hot-upload has stored"]],
  async run(context) {
    const { args, config, output, signal } = context;
    const app = givenAppName("The app", args.name);
    const client = createClient({ ...config, signal });
    const history = await readHistory(client, app);
    const running = runningOf(history, app);
    const digest = await resolveDigest(client, args.digest, app);
    const wanted = { app, digest, config: running.config, current: currentOf(history) };
    const loaded = await loadDigest(wanted, { ...context, client });
    if (output.isJson) output.json(loaded);
  },
});
