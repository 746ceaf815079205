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

test("a noun that is a command as well is found alone and with flags, and its verbs behind it", () => {
  const status: Verb = { summary: "Status", load };
  const verbs = { status };
  const found = { verb: { summary: "Develop", load }, others: verbs };
  const withDev = { ...table, dev: { summary: "Develop", load, verbs } };
  expect(findCommand(["dev"], withDev)).toEqual({ ...found, rest: [] });
  expect(findCommand(["dev", "--hot", "--json"], withDev)).toEqual({ ...found, rest: ["--hot", "--json"] });
  expect(findCommand(["dev", "--help"], withDev)).toEqual({ ...found, rest: ["--help"] });
  expect(findCommand(["dev", "status", "shop"], withDev)).toEqual({ verb: status, rest: ["shop"] });
  expect(() => findCommand(["dev", "staus"], withDev)).toThrow('There is no "aether dev staus".');
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
