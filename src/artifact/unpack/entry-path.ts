import { type RefusalRule, refusal } from "./refusal.ts";
import { maxDepth, maxNameBytes, maxPathBytes } from "./unpack-limits.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Strict UTF-8 of bytes given one character each: two different names never become the same text. */
export function decodeUtf8(bytes: string): string {
  if (/^[ -~]*$/.test(bytes)) return bytes;
  try {
    return utf8.decode(Buffer.from(bytes, "latin1"));
  } catch {
    throw refusal("path_encoding", "its name is not valid UTF-8", {
      entry: bytes,
      hint: "Rename the file so that its name is valid UTF-8, then pack again.",
    });
  }
}

/** The path of an entry below the root, without a leading `./` or a folder's trailing slash; "" is the root itself. */
export function parseEntryPath(bytes: string, isFolder: boolean): string {
  checkLength(bytes);
  const raw = decodeUtf8(bytes);
  if (raw === "") throw refusal("path_empty", "an entry has an empty name");
  const dotless = raw.startsWith("./") ? raw.slice(2) : raw;
  if (isFolder && (raw === "./" || raw === ".")) return "";
  for (const [rule, pattern, why] of wholePathRules) if (pattern.test(dotless)) throw bad(rule, why, raw);
  const path = isFolder && dotless.endsWith("/") ? dotless.slice(0, -1) : dotless;
  const parts = path.split("/");
  if (parts.length > maxDepth) throw bad("path_too_deep", `it is nested deeper than ${maxDepth} folders`, raw);
  for (const part of parts) checkPart(part, raw);
  return path;
}

/** The target of a link as text; where it leads is decided when all entries are known. */
export function parseLinkTarget(bytes: string, path: string): string {
  const target = decodeUtf8(bytes);
  if (target === "" || bytes.length > maxPathBytes) throw bad("link_target", "its target is empty or too long", path);
  if (target.startsWith("/")) throw bad("link_absolute", "it is a link to an absolute path", path);
  for (const [rule, pattern, why] of wholePathRules)
    if (pattern.test(target)) throw bad(rule, `${why} in its target`, path);
  return target;
}

const wholePathRules: [RefusalRule, RegExp, string][] = [
  ["path_absolute", /^\//, "its path is absolute"],
  ["path_drive", /^[A-Za-z]:/, "its path starts with a drive letter"],
  ["path_backslash", /\\/, "it holds a backslash, which is a separator elsewhere"],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  ["path_control", /[\u0000-\u001f\u007f-\u009f]/, "it holds a control character"],
  ["path_bidi", /[\u202a-\u202e\u2066-\u2069]/, "it holds a character that reverses text"],
];

function checkPart(part: string, raw: string): void {
  if (part === "" || part === ".") throw bad("path_component", "its path has an empty or `.` part", raw);
  if (part === "..") throw bad("path_traversal", "its path leads outside with `..`", raw);
  if (part.endsWith(".") || part.endsWith(" "))
    throw bad("path_trailing", "a name in it ends with a dot or a space", raw);
  if (part.length * 3 > maxNameBytes && Buffer.byteLength(part) > maxNameBytes) {
    throw bad("path_too_long", `a name in it is longer than ${maxNameBytes} bytes`, raw);
  }
}

function checkLength(bytes: string): void {
  if (bytes.length > maxPathBytes) {
    throw bad("path_too_long", `its path is longer than ${maxPathBytes} bytes`, bytes);
  }
}

const bad = (rule: RefusalRule, why: string, entry: string) =>
  refusal(rule, why, { entry, hint: "Rename or leave out that file, then pack again." });
