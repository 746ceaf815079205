import { relative, resolve } from "node:path";
import { serverArgs } from "../../args.ts";
import { defineCommand } from "../../command.ts";
import { packProject, planOf } from "../../deploy/pack-project.ts";
import { release } from "../../deploy/release.ts";
import { createReleaseContext } from "../../deploy/release-context.ts";
import { samplePath, writeSample } from "../../dev/sample.ts";
import { followRelease } from "../../follow-release.ts";
import type { Output } from "../../output.ts";
import { givenAppName } from "../../values.ts";

/** How long the release may take to run. */
const withinMs = 60_000;

export default defineCommand({
  meta: { name: "dev deploy-sample", description: "Deploy a sample application dev-hot, to see that everything works" },
  args: {
    name: { type: "positional", required: true, description: "The app" },
    path: {
      type: "positional",
      required: false,
      description: `An application's folder; default: ${samplePath}, written where it is missing`,
    },
    ...serverArgs,
  },
  examples: [
    ["aether dev deploy-sample hello", `writes ./${samplePath}, and deploys it`],
    ["aether dev deploy-sample hello ./shop", "deploys that folder instead"],
  ],
  async run(context) {
    const { args, config, output, signal, cwd } = context;
    const app = givenAppName("The app", args.name);
    const folder = resolve(cwd, args.path ?? samplePath);
    if (args.path === undefined) tell(await writeSample(folder), { folder: relative(cwd, folder), output });
    const plan = { ...planOf({ dir: folder, "dev-hot": true }, context), detach: true };
    const releasing = await createReleaseContext({ ...context, config: { ...config, app } });
    const { report } = releasing;
    await report.describeFailures(signal, async () => {
      await release(await packProject(plan, releasing), plan, releasing);
      const { deployment_id: id = "", version = 0 } = report.fields;
      const made = { app, id, version, detach: false, withinMs };
      report.set(await report.timed("start", () => followRelease(made, releasing)));
    });
    if (output.isJson) return output.json(report.fields);
    if (report.fields.url) output.text(`${report.fields.url}\n`);
  },
});

function tell(written: string[], { folder, output }: { folder: string; output: Output }): void {
  if (written.length === 0) output.step(`${folder} is there already, and stays as it is`);
  else output.done(`Wrote ${written.join(", ")} to ${folder}`);
}
