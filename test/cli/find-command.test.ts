import { expect, test } from "bun:test";
import type { Noun, Verb } from "../../src/cli/commands/index.ts";
import { findCommand } from "../../src/cli/find-command.ts";

const load = () => Promise.reject(new Error("nothing is loaded to find a command"));
const deploy: Verb = { summary: "Deploy", load };
const create: Verb = { summary: "Create", load };
const tokens: Noun = { summary: "Tokens", verbs: { create } };
const table = { deploy, tokens };

test("a verb stands alone, and behind its noun", () => {
  expect(findCommand(["deploy", "--json"], table)).toEqual({ verb: deploy, rest: ["--json"] });
  expect(findCommand(["tokens", "create", "ci"], table)).toEqual({ verb: create, rest: ["ci"] });
});

test("a noun alone, or with --help, is found as itself", () => {
  expect(findCommand(["tokens"], table)).toEqual({ noun: tokens, name: "tokens", rest: [] });
  expect(findCommand(["tokens", "--help"], table)).toMatchObject({ noun: tokens });
});

test.each([
  [["deplyo"], 'There is no command "deplyo".', 'Did you mean "deploy"?'],
  [["tokens", "crate"], 'There is no "aether tokens crate".', 'Did you mean "create"?'],
  [["tokens", "sell"], 'There is no "aether tokens sell".', "Run aether tokens with one of create."],
  [["--wat"], 'There is no flag "--wat".', "Run aether --help to see the commands."],
  [["constructor"], 'There is no command "constructor".', "Run aether --help to see the commands."],
])("%j is refused with what was meant", (argv, message, hint) => {
  expect(() => findCommand(argv, table)).toThrow(expect.objectContaining({ code: "usage", message, hint }));
});
