import { readFile } from "node:fs/promises";
import { type ParseError, parse, printParseErrorCode } from "jsonc-parser";
import { AetherError, asDiskError, systemCode } from "../../lib/errors.ts";

/** The text of a file without its byte order mark, or undefined when there is none. */
export async function readTextIfThere(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, "utf8")).replace(/^\uFEFF/, "");
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR") return undefined;
    throw asDiskError(error, "read", path);
  }
}

/** The object in JSON `text`, or an error that names `file` with line and column (JSON.parse here gives no position). */
export function parseJsonObject(text: string, file: string): Record<string, unknown> {
  const errors: ParseError[] = [];
  const value: unknown = parse(text, errors, { disallowComments: true, allowTrailingComma: false });
  const first = errors[0];
  if (first) {
    throw new AetherError(
      "not_a_project",
      `${file}:${position(text, first.offset)}: broken JSON (${describe(first)}).`,
      {
        hint: `Mend ${file} there and run the command again.`,
      },
    );
  }
  if (isObject(value)) return value;
  throw new AetherError("not_a_project", `${file} must hold a JSON object { … }.`);
}

/** Whether `value` is a plain JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const position = (text: string, offset: number): string => {
  const before = text.slice(0, offset).split("\n");
  return `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
};

/** `CommaExpected` → `comma expected`. */
const describe = (error: ParseError): string =>
  printParseErrorCode(error.error)
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase();
