import { type Manifest, manifestPath } from "../../core/artifact-layout.ts";
import { refusal } from "./refusal.ts";

type ManifestFile = Manifest["files"][number];

const head = /^\s*\{\s*"files"\s*:\s*\[/;
const tail = /^\]\s*\}\s*$/;

/** Longer than any record of a path that is allowed. */
const maxPendingChars = 32 * 1024;

/** Reads the JSON text `{"files":[{"path","sha256"},…]}` in pieces, and tells of each file as soon as it is complete. */
export function createManifestReader(onFile: (file: ManifestFile) => void) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let pending = "";
  let headRead = false;
  let count = 0;

  function write(bytes: Uint8Array): void {
    pending += decode(bytes, true);
    if (!headRead) readHead();
    if (headRead) readRecords();
    if (pending.length > maxPendingChars) throw invalidManifest("it is no list of paths and hashes");
  }

  function readHead(): void {
    const found = head.exec(pending)?.[0];
    if (found === undefined) return;
    headRead = true;
    pending = pending.slice(found.length);
  }

  function readRecords(): void {
    let at = skipBlanks(pending, 0);
    for (let start = at; ; start = at) {
      const hasComma = pending[start] === ",";
      if (hasComma) start = skipBlanks(pending, start + 1);
      const end = pending[start] === "{" ? endOfRecord(pending, start) : undefined;
      if (end === undefined) break;
      if (hasComma !== count > 0) throw invalidManifest("its commas are wrong");
      onFile(parseFile(pending.slice(start, end)));
      count += 1;
      at = skipBlanks(pending, end);
    }
    pending = pending.slice(at);
  }

  /** Call once after the last byte. */
  function close(): void {
    pending += decode(new Uint8Array(), false);
    if (!headRead || !tail.test(pending)) throw invalidManifest("it is no list of paths and hashes");
  }

  function decode(bytes: Uint8Array, stream: boolean): string {
    try {
      return decoder.decode(bytes, { stream });
    } catch (error) {
      throw invalidManifest("it is not UTF-8", error);
    }
  }

  return { write, close };
}

// Scanned by hand: a pattern for blanks, comma, blanks takes quadratic time on a megabyte of blanks.
function skipBlanks(text: string, start: number): number {
  let at = start;
  while (at < text.length && text.charCodeAt(at) <= 0x20) at += 1;
  return at;
}

/** Behind the brace that closes the one at `start`, or undefined when it is still to come. Records hold no others. */
function endOfRecord(text: string, start: number): number | undefined {
  let inText = false;
  for (let at = start; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') inText = !inText;
    else if (inText && char === "\\") at += 1;
    else if (!inText && char === "}") return at + 1;
  }
  return undefined;
}

function parseFile(text: string): ManifestFile {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (error) {
    throw invalidManifest("it is no JSON", error);
  }
  if (isManifestFile(file)) return file;
  throw invalidManifest("one of its files has no path or no SHA-256 in lower-case hex");
}

function isManifestFile(file: unknown): file is ManifestFile {
  if (typeof file !== "object" || file === null || !("path" in file) || !("sha256" in file)) return false;
  return typeof file.path === "string" && typeof file.sha256 === "string" && /^[0-9a-f]{64}$/.test(file.sha256);
}

/** The error for a manifest that cannot be read. */
export function invalidManifest(why: string, cause?: unknown) {
  const error = refusal("manifest_invalid", why, { entry: manifestPath });
  if (cause !== undefined) error.cause = cause;
  return error;
}
