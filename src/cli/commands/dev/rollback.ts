import { serverArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { currentOf, earlierOf, readHistory } from "../../dev/history.ts";
import { loadDigest } from "../../dev/load-digest.ts";
import { resolveDigest } from "../../find-digest.ts";
import { givenAppName } from "../../values.ts";

export default defineCommand({
  meta: { name: "dev rollback", description: "Load the digest that ran before into the replicas that run" },
  args: {
    name: { type: "positional", required: true, description: "The app" },
    digest: {
      type: "positional",
      required: false,
      description: "One that ran, or its first characters; default: the last other one before what runs",
    },
    ...serverArgs,
  },
  examples: [
    ["aether dev rollback shop", "to what ran before the last reload"],
    ["aether dev rollback shop 3f9a2c71d04b", "to that one"],
  ],
  async run(context) {
    const { args, config, output, signal } = context;
    const app = givenAppName("The app", args.name);
    const client = createClient({ ...config, signal });
    const history = await readHistory(client, app);
    const current = currentOf(history);
    const digest = args.digest === undefined ? undefined : await resolveDigest(client, args.digest, app);
    const earlier = earlierOf(history, { app, current, digest });
    output.step(`${app}: back to the code and the configuration of v${earlier.version}`);
    const wanted = { app, digest: earlier.digest, config: earlier.config, current };
    const loaded = await loadDigest(wanted, { ...context, client });
    if (output.isJson) output.json({ origin_version: earlier.version, ...loaded });
  },
});
