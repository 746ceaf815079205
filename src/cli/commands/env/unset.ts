import { AetherError } from "../../../lib/errors.ts";
import { appArgs } from "../../args.ts";
import { changeArgs, changeEnvironment } from "../../change-environment.ts";
import { defineCommand } from "../../command.ts";

export default defineCommand({
  meta: { name: "env unset", description: "Take variables of an app away, and release what runs again without them" },
  args: { ...changeArgs, ...appArgs },
  rest: { name: "KEY", description: "What to take away; what is not there is no error" },
  examples: [["aether env unset COLOR SIZE --app shop", "two at once, one release"]],
  async run(context) {
    const names = context.args._;
    if (names.length === 0) {
      throw new AetherError("usage", "Nothing to unset was named.", { hint: "aether env list shows what is set." });
    }
    if (names.some((name) => name.includes("="))) {
      throw new AetherError("usage", "Only names are unset: say KEY, not KEY=value.");
    }
    await changeEnvironment(context, { unset: [...new Set(names)] });
  },
});
