import { appArgs } from "../args.ts";
import { defineCommand } from "../command.ts";
import { comparePlan } from "../deploy/compare-plan.ts";
import { type DeployPlan, packProject, planOf } from "../deploy/pack-project.ts";
import { release } from "../deploy/release.ts";
import { createReleaseContext } from "../deploy/release-context.ts";
import type { DeployFields } from "../deploy/report.ts";
import { timingsTable } from "../deploy/timings-table.ts";

export default defineCommand({
  meta: { name: "deploy", description: "Pack an application and release it" },
  args: {
    dir: { type: "positional", default: ".", description: "The application's folder" },
    "dry-run": { type: "boolean", description: "Detect, install, check and pack; upload and deploy nothing" },
    plan: { type: "boolean", description: "The same, and say what would change against what runs" },
    "pack-only": { type: "boolean", description: "The same, and leave the artifact in --out" },
    upload: { type: "boolean", default: true, negativeDescription: "Pack, and upload and deploy nothing" },
    out: {
      type: "string",
      valueHint: "folder",
      description: "Where the artifact is left (with --pack-only: this folder)",
    },
    detach: { type: "boolean", description: "Do not wait until the release answers" },
    "rollback-on-failure": {
      type: "boolean",
      description: "Should the release fail, the app's variables become again those of what runs",
    },
    "dev-hot": {
      type: "boolean",
      description: "For development: the next deploy like it loads its code into the replicas that run",
    },
    build: { type: "boolean", description: "Run scripts.build first" },
    timings: { type: "boolean", description: "Tell how long each stage took (--json always does)" },
    cache: { type: "boolean", default: true, negativeDescription: "Install and compress everything anew" },
    "compression-level": { type: "string", valueHint: "1-12", description: "Smaller or faster" },
    "legacy-upload": { type: "boolean", description: "Send the artifact through the server (deprecated)" },
    ...appArgs,
  },
  examples: [
    ["aether deploy", "the application in this folder"],
    ["aether deploy services/shop --app shop", "another folder, and a name"],
    ["aether deploy --dry-run", "see what would be packed"],
    ["aether deploy --plan", "see what would change"],
    ["aether deploy --pack-only --out dist --json", "an artifact for later, described as JSON"],
    ["url=$(aether deploy -q)", "for scripts: the address, once it answers (--json tells everything)"],
  ],
  async run(context) {
    const { args, output, signal } = context;
    const plan = planOf(args, context);
    const releasing = await createReleaseContext(context);
    const { report } = releasing;
    await report.describeFailures(signal, async () => {
      const packed = await packProject(plan, releasing);
      if (plan.compares) await comparePlan(packed, plan, releasing);
      if (plan.deploys) await release(packed, plan, releasing);
    });
    if (output.isJson) return output.json(report.fields);
    if (plan.note !== null) output.done(plan.note);
    if (args.timings) output.step(`How long it took:\n${timingsTable(report.fields.timings).trimEnd()}`);
    const answer = answerOf(plan, report.fields);
    if (answer !== null) output.text(`${answer}\n`);
  },
});

/** The one line that scripts want: the address of what runs, or where the artifact was left. */
function answerOf(plan: DeployPlan, { url, artifact }: DeployFields): string | null {
  if (plan.deploys) return url ?? null;
  return plan.keepsArtifact ? artifact : null;
}
