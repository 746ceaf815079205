import { AetherError } from "../lib/errors.ts";
import { didYouMean } from "../lib/nearest.ts";
import { commands, isNoun, type Noun, type Verb } from "./commands/index.ts";

/** What a command line begins with, and the arguments after it; `others` are the verbs of a noun that is a command itself. */
export type Found =
  | { verb: Verb; rest: string[]; others?: Noun["verbs"] }
  | { noun: Noun; name: string; rest: string[] };

/** The command that `argv` names; a noun alone, or with --help, is found as itself. */
export function findCommand([name = "", ...rest]: string[], table: Record<string, Verb | Noun> = commands): Found {
  const entry = Object.hasOwn(table, name) ? table[name] : undefined;
  if (entry === undefined) throw unknownCommand(name, Object.keys(table));
  if (!isNoun(entry)) return { verb: entry, rest };
  const [verbName, ...arguments_] = rest;
  const { load, verbs, summary } = entry;
  if (load !== undefined && (verbName ?? "-").startsWith("-")) return { verb: { summary, load }, rest, others: verbs };
  if (verbName === undefined || verbName === "--help" || verbName === "-h") return { noun: entry, name, rest };
  const verb = Object.hasOwn(verbs, verbName) ? verbs[verbName] : undefined;
  // Who forgets the verb of `aether env set KEY=value` must not find the value in an error.
  if (verb === undefined) throw unknownVerb(name, verbName.replace(/=.*/s, "=…"), Object.keys(verbs));
  return { verb, rest: arguments_ };
}

function unknownCommand(name: string, names: string[]): AetherError {
  const isFlag = name.startsWith("-");
  return new AetherError("usage", `There is no ${isFlag ? "flag" : "command"} "${name}".`, {
    hint: didYouMean(name, names) ?? "Run aether --help to see the commands.",
  });
}

function unknownVerb(noun: string, verb: string, names: string[]): AetherError {
  return new AetherError("usage", `There is no "aether ${noun} ${verb}".`, {
    hint: didYouMean(verb, names) ?? `Run aether ${noun} with one of ${names.join(", ")}.`,
  });
}
