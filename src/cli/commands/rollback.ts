import { resolveAppName } from "../app-name.ts";
import { appArgs } from "../args.ts";
import { createClient } from "../client.ts";
import { defineCommand } from "../command.ts";
import { followRelease } from "../follow-release.ts";
import { badValue } from "../usage.ts";

export default defineCommand({
  meta: {
    name: "rollback",
    description: "Release an earlier version again: its artifact, configuration and variables",
  },
  args: {
    name: { type: "positional", required: false, description: "The app" },
    version: {
      type: "positional",
      required: false,
      description: "Such as v12 or 12; default: the last one that ran before and is another release",
    },
    force: { type: "boolean", description: "Also to a version that never ran" },
    detach: { type: "boolean", description: "Do not wait until the release answers" },
    ...appArgs,
  },
  examples: [
    ["aether rollback", "the application in this folder, to what ran before"],
    ["aether rollback shop v12", "to that version; aether releases shop lists them"],
  ],
  async run(context) {
    const { args, config, output, signal } = context;
    const { name, version } = parsePlace(args);
    const app = await resolveAppName(context, name);
    const client = createClient({ ...config, signal });
    const made = await client.rollBack(app, {
      ...(version === undefined ? {} : { version }),
      ...(args.force === true ? { force: true } : {}),
    });
    output.step(`${app}: v${made.version} restores v${made.origin_version}`);
    const released = await followRelease({ app, ...made, detach: args.detach === true }, { ...context, client });
    if (output.isJson) output.json({ app, origin_version: made.origin_version, ...released });
  },
});

const versionPattern = /^v?([1-9]\d{0,8})$/;

/** One argument may be either: what looks like a version is one. */
function parsePlace(args: { name?: string | undefined; version?: string | undefined }) {
  const onlyVersion = args.version === undefined && args.name !== undefined && versionPattern.test(args.name);
  const { name, version } = onlyVersion ? { name: undefined, version: args.name } : args;
  if (version === undefined) return { name };
  const number = versionPattern.exec(version)?.[1];
  if (number !== undefined) return { name, version: Number(number) };
  throw badValue({
    of: "The version",
    given: version,
    why: "it is a number such as v12 or 12",
    hint: "aether releases lists them.",
  });
}
