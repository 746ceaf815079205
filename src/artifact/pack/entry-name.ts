import { AetherError } from "../../lib/errors.ts";
import { maxDepth, maxNameBytes, maxPathBytes } from "../unpack/unpack-limits.ts";

// What the strict unpacker refuses is refused here already, while the person who can rename the file is watching.

/** Names made of these, and ending with them, need no closer look. */
const isPlain = /^[\w.@+=~#-]*[\w@+=~#-]$/;

const rules: [RegExp, string][] = [
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  [/[\u0000-\u001f\u007f-\u009f]/, "its name holds a control character"],
  [/\\/, "its name holds a backslash, which separates folders on other systems"],
  [/[\u202a-\u202e\u2066-\u2069]/, "its name holds a character that reverses text"],
  [/[. ]$/, "its name ends with a dot or a space, which other systems drop"],
];

/** Refuses names that could not be unpacked everywhere; each call knows the names of the calls before it. */
export function createNameCheck() {
  const seen = new Set<string>();

  return ({ name, path, isUtf8 }: { name: string; path: string; isUtf8: boolean }): void => {
    if (!isUtf8) throw badName(path, "its name is not valid UTF-8");
    if (path.length > 2 * maxDepth || name.length > maxNameBytes / 3) checkLengths(name, path);
    if (isPlain.test(name)) return;
    const broken = rules.find(([pattern]) => pattern.test(name));
    if (broken !== undefined) throw badName(path, broken[1]);
    if (path === name && /^[A-Za-z]:/.test(name)) throw badName(path, "its name starts like a drive letter");
    if (!isAscii(name)) checkTwin(path);
  };

  /** macOS would write two such names into one file. */
  function checkTwin(path: string): void {
    const key = path.normalize("NFC");
    if (seen.has(key)) throw badName(path, "another one has the same name in another Unicode form (NFC and NFD)");
    seen.add(key);
  }
}

/** The error for a file that cannot be packed under its name. */
export function badName(path: string, why: string): AetherError {
  return new AetherError("preflight_failed", `Cannot pack "${printable(path)}": ${why}.`, {
    hint: "Rename it, or leave it out with a line in .aetherignore.",
    details: { path: printable(path) },
  });
}

/** A name as it may be printed: nothing that moves a cursor or reverses text. */
export function printable(name: string): string {
  return name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
}

/** Whether text and its UTF-8 bytes sort alike and have one Unicode form. */
export const isAscii = (text: string): boolean => /^[ -~]*$/.test(text);

function checkLengths(name: string, path: string): void {
  if (Buffer.byteLength(name) > maxNameBytes) throw badName(path, `its name is longer than ${maxNameBytes} bytes`);
  if (Buffer.byteLength(path) > maxPathBytes) throw badName(path, `its path is longer than ${maxPathBytes} bytes`);
  if (path.split("/").length > maxDepth) throw badName(path, `it lies deeper than ${maxDepth} folders`);
}
