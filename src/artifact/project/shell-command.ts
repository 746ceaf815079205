/** One simple command of a shell line, with the operator that follows it. Words are kept raw, quotes and all. */
export interface Clause {
  words: string[];
  /** `&&`, `||`, `;`, `|`, `&`, a parenthesis, or empty at the end. */
  operator: string;
}

const token =
  /\s+|&&|\|\||[;|&()\n]|(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|\$\([^)]*\)|`[^`]*`|\d*[<>]+&?\d*|[^\s;|&()'"\\])+|./g;

/** Splits a shell line at its operators: enough to see which programs it runs, not a shell. */
export function splitCommand(line: string): Clause[] {
  const clauses: Clause[] = [];
  let words: string[] = [];
  for (const [text] of line.trim().matchAll(token)) {
    if (/^(&&|\|\||[;|&()\n])$/.test(text)) {
      clauses.push({ words, operator: text });
      words = [];
    } else if (/\S/.test(text)) words.push(text);
  }
  return words.length > 0 ? [...clauses, { words, operator: "" }] : clauses;
}

/** The shell line again. */
export const joinCommand = (clauses: readonly Clause[]): string =>
  clauses
    .flatMap(({ words, operator }) => [...words, operator])
    .filter((text) => text !== "")
    .join(" ");

/** A word without its quotes. */
export const unquote = (word: string): string => word.replace(/^(["'])(.*)\1$/s, "$2");

/** Quotes text so that the shell takes it as one word. */
export const shellQuote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const isAssignment = (word: string): boolean => /^[A-Za-z_]\w*=/.test(word);

/** Programs that only set the scene for the one behind them; some take assignments or end their flags with `--`. */
const wrappers = new Set(["exec", "env", "cross-env", "cross-env-shell", "dotenv", "tini", "dumb-init", "time"]);

/** Where the program itself stands in a clause, behind assignments and wrappers; `words.length` when there is none. */
export function programIndex(words: readonly string[]): number {
  let index = 0;
  while (index < words.length && isAssignment(words[index] ?? "")) index += 1;
  if (!wrappers.has(words[index] ?? "")) return index;
  index += 1;
  const separator = words.indexOf("--", index);
  if (
    separator > 0 &&
    words
      .slice(index, separator)
      .every((word) => word.startsWith("-") || isAssignment(word) || words[index - 1] === "dotenv")
  ) {
    index = separator + 1;
  }
  while (index < words.length && /^-|^[A-Za-z_]\w*=/.test(words[index] ?? "")) index += 1;
  return index + programIndex(words.slice(index));
}

/** The assignments in front of a clause's program (`PORT=3000 node x`), the last of each name counts. */
export function assignmentsOf(words: readonly string[]): Map<string, string> {
  const before = words.slice(0, programIndex(words)).filter(isAssignment);
  return new Map(before.map((word) => [word.slice(0, word.indexOf("=")), unquote(word.slice(word.indexOf("=") + 1))]));
}
