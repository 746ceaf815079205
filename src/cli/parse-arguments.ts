import { parseArgs as parseStrictly } from "node:util";
import { type ArgsDef, type ParsedArgs, parseArgs } from "citty";
import { AetherError, messageOf } from "../lib/errors.ts";
import { didYouMean } from "../lib/nearest.ts";
import type { Command } from "./command.ts";
import { badValue } from "./usage.ts";

type Described = Pick<Command, "meta" | "args" | "rest" | "passes">;

const untilDashes = (argv: string[]): string[] => (argv.includes("--") ? argv.slice(0, argv.indexOf("--")) : argv);

/** Whether the command line asks for help rather than for work. */
export const wantsHelp = (argv: string[]): boolean => untilDashes(argv).some((arg) => arg === "--help" || arg === "-h");

/** Known before the command is, so that even a wrong command line is reported in the format it asked for. */
export function wantsJson(argv: string[]): boolean {
  const flags = untilDashes(argv);
  return flags.some(
    (arg, at) => arg === "--json" || arg === "--format=json" || (arg === "--format" && flags[at + 1] === "json"),
  );
}

/** The command's own arguments, and what stands behind `--` where that is another program's. */
export function splitPassed({ passes }: Pick<Command, "passes">, argv: string[]): { own: string[]; passed: string[] } {
  const at = argv.indexOf("--");
  if (passes === undefined || at === -1) return { own: argv, passed: [] };
  return { own: argv.slice(0, at), passed: argv.slice(at + 1) };
}

/** The command's arguments, or `usage` for anything it does not know. citty alone accepts unknown flags silently. */
export function parseArguments<A extends ArgsDef>(command: Described & { args: A }, argv: string[]): ParsedArgs<A> {
  rejectUnknown(command, argv);
  try {
    return parseArgs<A>(argv, command.args);
  } catch (error) {
    throw usage(command, `${stripColours(messageOf(error)).replace(/\.$/, "")}.`);
  }
}

function rejectUnknown(command: Described, argv: string[]): void {
  const flags = Object.entries(command.args).filter(([, arg]) => arg.type !== "positional");
  const positionals = Object.keys(command.args).length - flags.length;
  const { tokens } = parseStrictly({
    args: argv,
    options: Object.fromEntries(flags.map(([name, arg]) => [name, parserOption(arg)])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  let seen = 0;
  for (const token of tokens ?? []) {
    if (token.kind === "positional") {
      seen += 1;
      if (seen > positionals && command.rest === undefined)
        throw usage(command, `Unexpected argument "${token.value}".`, behindDashes(command));
    }
    if (token.kind === "option") checkFlag(command, token);
  }
}

const behindDashes = ({ meta, passes }: Described): string | undefined =>
  passes && `What is run stands behind two dashes: aether ${meta.name} [app] -- <${passes.name}>...`;

function parserOption(arg: ArgsDef[string]): { type: "boolean" | "string"; short?: string } {
  const short = [arg && "alias" in arg ? (arg.alias ?? []) : []].flat().find((alias) => alias.length === 1);
  return { type: arg?.type === "boolean" ? "boolean" : "string", ...(short ? { short } : {}) };
}

function checkFlag(
  command: Described,
  { name, rawName, value }: { name: string; rawName: string; value?: string | undefined },
) {
  const negated = name.startsWith("no-") ? command.args[name.slice(3)] : undefined;
  const arg = command.args[name] ?? (negated?.type === "boolean" ? negated : undefined);
  if (arg === undefined || arg.type === "positional") {
    const known = Object.entries(command.args).filter(([, { type }]) => type !== "positional");
    const spellings = known.flatMap(([flag, { type, ...rest }]) =>
      type === "boolean" && "default" in rest && rest.default === true ? [`--no-${flag}`] : [`--${flag}`],
    );
    throw usage(command, `Unknown flag "${rawName}".`, didYouMean(rawName, spellings));
  }
  if (arg.type === "boolean" && value !== undefined) throw usage(command, `"${rawName}" takes no value.`);
  if (arg.type === "enum" && value !== undefined && value !== "") checkOption(rawName, value, arg.options ?? []);
  if (arg.type !== "boolean" && (value === undefined || value === ""))
    throw usage(command, `"${rawName}" needs a value.`);
}

function checkOption(flag: string, given: string, options: readonly unknown[]): void {
  const words = options.map(String);
  if (words.includes(given)) return;
  const why = `it takes ${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
  throw badValue({ of: flag, given, why, hint: didYouMean(given, words) ?? `For example: ${flag} ${words[0]}.` });
}

function usage(command: Described, message: string, hint?: string): AetherError {
  return new AetherError("usage", message, { hint: hint ?? `Run aether ${command.meta.name} --help for its flags.` });
}

// citty colours its messages by the environment it was imported in, not by where they go.
function stripColours(text: string): string {
  return Bun.stripANSI(text);
}
