import { appArgs } from "../args.ts";
import { defineCommand } from "../command.ts";
import { planOf } from "../deploy/pack-project.ts";
import { createReleaseContext } from "../deploy/release-context.ts";
import { devLoop, type Followed } from "../dev/dev-loop.ts";

/** As a shell counts a program that Ctrl-C ended. */
const interruptedExit = 130;

export default defineCommand({
  meta: { name: "dev", description: "Deploy a folder, and again each time that it changes" },
  args: {
    hot: { type: "boolean", description: "Load the code into the replicas that run (as deploy --dev-hot does)" },
    dir: { type: "string", valueHint: "folder", default: ".", description: "The application's folder" },
    ...appArgs,
  },
  examples: [
    ["aether dev --hot", "a save in this folder is in every replica a moment later"],
    ["aether dev --hot --dir services/shop", "another folder"],
    ["aether dev --hot --json", "one JSON object a line for each reload"],
  ],
  async run(context) {
    const { args, output, signal } = context;
    const plan = { ...planOf({ dir: args.dir, "dev-hot": args.hot }, context), develops: true };
    const releasing = await createReleaseContext(context);
    const followed: Followed = {};
    try {
      await devLoop(plan, releasing, followed);
    } catch (error) {
      if (!signal.aborted || followed.digest === undefined) throw error;
    }
    const where = followed.url ? ` at ${followed.url}` : "";
    output.done(
      `No longer followed; ${followed.app} goes on running${where} (aether apps delete ${followed.app} ends it)`,
    );
    return interruptedExit;
  },
});
