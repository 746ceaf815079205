import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import * as nodeTar from "tar";
import { readArtifact } from "../../src/artifact/unpack/read-artifact.ts";
import { createTarReader } from "../../src/artifact/unpack/tar-reader.ts";
import { AetherError } from "../../src/lib/errors.ts";
import { sha256 } from "./tar-archive.ts";

/** What readers say of an archive: one line an entry, sorted, or why it is refused. */
export type Reading = string[] | { refused: string };

/** GNU tar pads the column before the name, so a blank in front of a name is not told apart. */
const line = (kind: string, size: number, path: string, target = "") =>
  `${kind} ${size} ${path.trimStart()}${target && ` -> ${target}`}`;

/** Our reader. What it accepts it must be able to say entry by entry. */
export async function readWithAether(bytes: Uint8Array, folder: string): Promise<Reading> {
  const path = join(folder, "ours.tgz");
  await writeFile(path, bytes);
  try {
    await readArtifact(path, { digest: sha256(bytes) });
  } catch (error) {
    if (error instanceof AetherError) return { refused: String(error.details.rule) };
    throw error;
  }
  const lines: string[] = [];
  const reader = createTarReader({
    entry: (entry) =>
      lines.push(line(entry.kind, entry.size, entry.path, entry.kind === "link" ? entry.target : "")) > 0,
    data: () => {},
    end: () => {},
  });
  reader.write(gunzipSync(bytes));
  return lines.sort();
}

const gnuKinds: Record<string, string> = { "-": "file", d: "folder", l: "link" };

/** GNU tar. */
export async function readWithGnuTar(bytes: Uint8Array, folder: string): Promise<Reading> {
  const path = join(folder, "gnu.tgz");
  await writeFile(path, bytes);
  const child = Bun.spawn(
    [
      "tar",
      "--list",
      "--gzip",
      "--verbose",
      "--numeric-owner",
      "--quoting-style=literal",
      "--full-time",
      "-P",
      "-f",
      path,
    ],
    { stdout: "pipe", stderr: "pipe", env: { PATH: process.env.PATH ?? "", LC_ALL: "C", TZ: "UTC" } },
  );
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) return { refused: stderr };
  return stdout.split("\n").filter(Boolean).map(toGnuLine).sort();
}

function toGnuLine(text: string): string {
  const found = /^(.)\S{9}\S? +\S+ +(\d+) \S+ \S+ +(.*)$/.exec(text);
  if (found === null) return `not understood: ${text}`;
  const [, type = "", size, rest = ""] = found;
  const [path = "", target] = type === "l" ? rest.split(" -> ") : [rest];
  return line(gnuKinds[type] ?? type, Number(size), normal(path), target);
}

const nodeKinds: Record<string, string> = { File: "file", OldFile: "file", Directory: "folder", SymbolicLink: "link" };

/** node-tar, as npm uses it. */
export async function readWithNodeTar(bytes: Uint8Array, folder: string): Promise<Reading> {
  const file = join(folder, "node.tgz");
  await writeFile(file, bytes);
  const lines: string[] = [];
  try {
    await nodeTar.list({
      file,
      strict: true,
      onReadEntry: (entry) =>
        void lines.push(
          line(
            nodeKinds[entry.type] ?? entry.type,
            entry.size,
            normal(entry.path),
            entry.type === "SymbolicLink" ? entry.linkpath : "",
          ),
        ),
    });
  } catch (error) {
    return { refused: String(error) };
  }
  return lines.sort();
}

const normal = (path: string): string => path.replace(/^\.\//, "").replace(/\/$/, "").replace(/^\.$/, "");
