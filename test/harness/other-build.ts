import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { binary } from "./binary.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A comment of the embedded agent, and one as long: all else in the binary stays where it is. */
const [comment, another] = ["// src/agent/main.ts", "// src/agent/Main.ts"];

/** The compiled binary as another build of it would be: the agent that it embeds has another text, and does the same. */
export async function otherBuild() {
  const folder = await temporaryFolder();
  const bytes = await readFile(binary);
  const at = bytes.indexOf(comment);
  if (at < 0 || bytes.indexOf(comment, at + 1) >= 0) throw new Error(`The binary does not hold "${comment}" once.`);
  bytes.write(another, at);
  const path = join(folder.path, "aether");
  await writeFile(path, bytes);
  await chmod(path, 0o755);
  return { path, [Symbol.asyncDispose]: folder[Symbol.asyncDispose] };
}
