import { version } from "../core/version.ts";
import type { Command } from "./command.ts";
import { commands, type Noun } from "./commands/index.ts";

/** What `aether` alone prints. */
export function rootHelp(): string {
  return [
    `aether ${version}: deploy Node.js applications in seconds.`,
    "",
    "USAGE  aether <command> [arguments] [flags]",
    "",
    "COMMANDS",
    columns(Object.entries(commands).map(([name, { summary }]) => [name, summary])),
    "",
    "EXAMPLES",
    columns([
      ["aether serve", "start everything on this machine, no configuration"],
      ["aether deploy", "deploy the application in this folder"],
      ["aether logs shop -f", "follow what shop prints"],
    ]),
    "",
    "Run aether <command> --help for its flags. Documentation: http://127.0.0.1:8080/docs while aether serve runs.",
    "",
  ].join("\n");
}

/** What `aether <noun>` alone prints. */
export function nounHelp(name: string, { summary, verbs }: Noun): string {
  return [
    `${summary}.`,
    "",
    `USAGE  aether ${name} <command> [arguments] [flags]`,
    "",
    "COMMANDS",
    columns(Object.entries(verbs).map(([verb, { summary }]) => [verb, summary])),
    "",
    `Run aether ${name} <command> --help for its flags.`,
    "",
  ].join("\n");
}

/** What `aether <command> --help` prints; `verbs` are those behind the name of a command that is a noun as well. */
export function commandHelp({ meta, args, rest, passes, examples }: Command, verbs: Noun["verbs"] = {}): string {
  const entries = Object.entries(args);
  const positionals = entries.filter(([, arg]) => arg.type === "positional");
  const flags = entries.filter(([, arg]) => arg.type !== "positional");
  const usage = positionals.map(([name, arg]) =>
    arg.required === false || arg.default !== undefined ? `[${name}]` : `<${name}>`,
  );
  return [
    `${meta.description}.`,
    "",
    `USAGE  ${["aether", meta.name, ...usage, ...(rest ? [`<${rest.name}>...`] : []), "[flags]", ...(passes ? [`-- <${passes.name}>...`] : [])].join(" ")}`,
    "",
    ...section("ARGUMENTS", [
      ...positionals.map(([name, arg]): [string, string] => [name, described(arg)]),
      ...[rest, passes].flatMap((one): [string, string][] => (one ? [[one.name, one.description]] : [])),
    ]),
    ...section(
      "FLAGS",
      flags.map(([name, arg]) => [flagName(name, arg), described(arg)]),
    ),
    ...section(
      "COMMANDS",
      Object.entries(verbs).map(([verb, { summary }]) => [`${meta.name} ${verb}`, summary]),
    ),
    ...section("EXAMPLES", examples),
  ].join("\n");
}

type Arg = Command["args"][string];

function flagName(name: string, arg: Arg): string {
  const negative = arg.type === "boolean" && arg.default === true;
  const aliases = "alias" in arg ? [arg.alias ?? []].flat() : [];
  const short = aliases
    .filter((alias) => alias.length === 1)
    .map((alias) => `-${alias}, `)
    .join("");
  const value = arg.type === "enum" ? arg.options?.join("|") : (arg.valueHint ?? name);
  return `${short}--${negative ? "no-" : ""}${name}${arg.type === "boolean" ? "" : ` <${value}>`}`;
}

function described(arg: Arg): string {
  if (arg.type === "boolean" && arg.default === true)
    return ("negativeDescription" in arg && arg.negativeDescription) || "";
  const fallback = arg.default === undefined || arg.default === false ? "" : ` (default: ${arg.default})`;
  return `${arg.description ?? ""}${fallback}`;
}

function section(title: string, rows: [string, string][]): string[] {
  return rows.length === 0 ? [] : [title, columns(rows), ""];
}

function columns(rows: [string, string][]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`.trimEnd()).join("\n");
}
