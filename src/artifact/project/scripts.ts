import { AetherError } from "../../lib/errors.ts";
import { type Clause, joinCommand, programIndex, shellQuote, splitCommand, unquote } from "./shell-command.ts";

const managers = new Set(["npm", "yarn", "pnpm", "bun"]);
const runners = new Set(["npx", "pnpx", "bunx"]);
/** These start npm themselves, for each of the scripts they name. */
const scriptRunners = new Set([
  "npm-run-all",
  "npm-run-all2",
  "run-s",
  "run-p",
  "concurrently",
  "turbo",
  "nx",
  "lerna",
]);

/** A call of a package manager in a shell line. */
interface Call {
  script?: string;
  binary?: string;
  rest: string[];
}

/**
 * A shell line in which calls of other scripts (`npm run x`, `yarn x`) are replaced by what they run: where applications
 * run there is no package manager. What cannot be replaced is refused, for it would fail only there.
 */
export function expandScripts(line: string, scripts: Record<string, string>, depth = 0): string {
  if (depth > 10) throw refusal(line, "its scripts call each other in a circle");
  const clauses = splitCommand(line);
  const expanded = clauses.map((clause) => expandClause(clause, { scripts, depth, alone: clauses.length === 1 }));
  return expanded.some((clause, index) => clause !== clauses[index]) ? joinCommand(expanded) : line.trim();
}

interface Context {
  scripts: Record<string, string>;
  depth: number;
  alone: boolean;
}

function expandClause(clause: Clause, { scripts, depth, alone }: Context): Clause {
  const at = programIndex(clause.words);
  const call = toCall(clause.words.slice(at), scripts);
  if (call === undefined) return clause;
  const before = clause.words.slice(0, at);
  if (call.binary !== undefined) return { ...clause, words: [...before, call.binary, ...call.rest] };
  const text = expandScripts(scriptLine(call, scripts, alone), scripts, depth + 1);
  const simple = splitCommand(text).length === 1;
  if (simple) return { ...clause, words: [...before, ...(splitCommand(text)[0]?.words ?? [])] };
  if (before.length > 0) return { ...clause, words: [...before, "sh", "-c", shellQuote(text)] };
  return { ...clause, words: alone ? [text] : ["{", `${text};`, "}"] };
}

/** As npm would: `pre`, the script with the arguments, `post`; a server's `post` would only run when it has ended. */
function scriptLine({ script = "", rest }: Call, scripts: Record<string, string>, alone: boolean): string {
  const main = [scripts[script], ...rest].join(" ");
  const post = alone ? undefined : scripts[`post${script}`];
  return [scripts[`pre${script}`], main, post].filter((part) => part !== undefined).join(" && ");
}

function toCall(words: readonly string[], scripts: Record<string, string>): Call | undefined {
  const [program = "", ...args] = words.map(unquote);
  if (scriptRunners.has(program)) throw refusal(words.join(" "), `${program} needs a package manager`);
  if (runners.has(program))
    return toBinary(
      words,
      args.filter((word) => !["-y", "--yes", "--no-install", "--no"].includes(word)),
    );
  if (!managers.has(program)) return undefined;
  const [verb = "", ...after] = args.filter((word, index) => !(index < 2 && ["-s", "--silent"].includes(word)));
  if (verb === "exec" || verb === "x" || verb === "dlx")
    return toBinary(words, after[0] === "--" ? after.slice(1) : after);
  const runs = ["run", "run-script"].includes(verb);
  const name = runs ? (after.shift() ?? "") : verb;
  const rest = after[0] === "--" ? after.slice(1) : after;
  const lifecycle = ["start", "test", "stop", "restart"].includes(name);
  if (Object.hasOwn(scripts, name) && (runs || lifecycle || program !== "npm"))
    return { script: name, rest: quoteAgain(rest) };
  if (runs || lifecycle) throw refusal(words.join(" "), `there is no script "${name}" in package.json`);
  // `yarn next start` and `pnpm next start` run a binary; npm has no such form.
  return toBinary(words, program === "npm" ? [] : [name, ...after]);
}

function toBinary(words: readonly string[], [binary, ...rest]: readonly string[]): Call {
  if (binary === undefined || !/^[\w.-]+$/.test(binary) || binary.startsWith("-") || packageManagerVerbs.has(binary)) {
    throw refusal(words.join(" "), "no package manager is there when the application runs");
  }
  return { binary, rest: quoteAgain(rest) };
}

const packageManagerVerbs = new Set(["install", "add", "ci", "workspace", "workspaces", "rebuild", "dlx", "create"]);

const quoteAgain = (words: readonly string[]): string[] =>
  words.map((word) => (/\s/.test(word) ? shellQuote(word) : word));

function refusal(line: string, why: string): AetherError {
  return new AetherError("preflight_failed", `The start command calls "${line}", which cannot run: ${why}.`, {
    hint: 'Write the command itself as "start" in aether.json, such as "node dist/server.js".',
  });
}
