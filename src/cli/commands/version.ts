import { commit, version } from "../../core/version.ts";
import { commonArgs } from "../args.ts";
import { defineCommand } from "../command.ts";

export default defineCommand({
  meta: { name: "version", description: "Print the version" },
  args: commonArgs,
  examples: [["aether version --json", "version, commit and platform as JSON"]],
  async run({ output }) {
    const platform = `${process.platform}-${process.arch}`;
    if (output.isJson) return output.json({ version, commit, platform, bun: Bun.version });
    output.text(`aether ${version} (${commit}, ${platform})\n`);
  },
});
