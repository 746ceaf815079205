import { AetherError } from "../../lib/errors.ts";
import { didYouMean } from "../../lib/nearest.ts";
import { commonArgs } from "../args.ts";
import { defineCommand } from "../command.ts";
import { type Completed, completionScript, shells } from "../completion-script.ts";
import { commands, isNoun, type Noun, type Verb } from "./index.ts";

export default defineCommand({
  meta: { name: "completions", description: "Print a completion script for your shell" },
  args: { shell: { type: "positional", required: true, description: "bash, zsh or fish" }, ...commonArgs },
  examples: [
    ["source <(aether completions bash)", "in ~/.bashrc"],
    ["source <(aether completions zsh)", "in ~/.zshrc, after compinit"],
    ["aether completions fish > ~/.config/fish/completions/aether.fish", "once"],
  ],
  async run({ args, output }) {
    const shell = shells.find((known) => known === args.shell);
    if (shell === undefined) {
      throw new AetherError("usage", `There are no completions for "${args.shell}".`, {
        hint: didYouMean(args.shell, shells) ?? `Choose one of ${shells.join(", ")}.`,
      });
    }
    const script = completionScript(shell, await loadAll(commands));
    if (output.isJson) return output.json({ shell, script });
    output.text(script);
  },
});

function loadAll(table: Record<string, Verb | Noun>): Promise<Completed[]> {
  return Promise.all(
    Object.entries(table).map(async ([name, entry]) => {
      const { summary } = entry;
      const args = (await entry.load?.())?.default.args;
      if (isNoun(entry)) return { name, summary, verbs: await loadAll(entry.verbs), args };
      return { name, summary, args: args ?? {} };
    }),
  );
}
