import { serverArgs } from "../../args.ts";
import { defineCommand } from "../../command.ts";
import { assertSignable } from "../../deploy/assert-signable.ts";
import { packProject, planOf } from "../../deploy/pack-project.ts";
import { createReleaseContext } from "../../deploy/release-context.ts";
import { storeArtifact } from "../../deploy/store-artifact.ts";
import { type MetApp, whileAppLives } from "../../deploy/while-app-lives.ts";
import { givenAppName } from "../../values.ts";

export default defineCommand({
  meta: { name: "dev hot-upload", description: "Pack and upload an application, and deploy nothing" },
  args: {
    name: { type: "positional", required: true, description: "The app" },
    dir: { type: "positional", required: true, description: "The application's folder" },
    ...serverArgs,
  },
  examples: [
    ["aether dev hot-upload shop .", "prints digest= and url=, for aether dev hot-patch"],
    ['eval "$(aether dev hot-upload shop . -q)" && aether dev hot-patch shop "$digest"', "for scripts"],
  ],
  async run(context) {
    const { args, config, output, signal } = context;
    const app = givenAppName("The app", args.name);
    const plan = planOf({ dir: args.dir }, context);
    const releasing = await createReleaseContext({ ...context, config: { ...config, app } });
    const { client, patient, report, signingKey } = releasing;
    await report.describeFailures(signal, async () => {
      const packed = await packProject(plan, releasing);
      await assertSignable(patient, { ...packed, signingKey });
      const met: MetApp = { name: app };
      const send = () => storeArtifact({ ...packed, met }, plan, releasing);
      await whileAppLives(client, met, () => report.timed("upload", send));
      report.set({ url: `${client.server}/artifacts/${packed.digest}/download?app=${app}` });
    });
    const { digest, url } = report.fields;
    if (output.isJson) return output.json(report.fields);
    output.text(`digest=${digest}\nurl=${url}\n`);
  },
});
