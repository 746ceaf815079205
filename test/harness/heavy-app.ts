import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFiles } from "./files.ts";
import { answering, packageJson } from "./project.ts";

/** An application whose artifact does not compress: about `megabytes` go up. */
export async function heavyApp(user: { path: string }, megabytes: number): Promise<string> {
  const folder = await writeFiles(join(user.path, "heavy"), {
    "package.json": packageJson("heavy"),
    "server.js": answering("heavy"),
  });
  const noise = new Uint8Array(megabytes * 1_000_000);
  for (let at = 0; at < noise.length; at += 65_536)
    crypto.getRandomValues(noise.subarray(at, Math.min(at + 65_536, noise.length)));
  await writeFile(join(folder, "noise.bin"), noise);
  return folder;
}
