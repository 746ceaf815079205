// Gives Mach-O files that Bun compiled a valid ad-hoc signature, in place: `bun scripts/sign-darwin.ts FILE...`
import { readFile, rename, stat, writeFile } from "node:fs/promises";
import { signAdHoc } from "./darwin/sign.ts";

for (const path of process.argv.slice(2)) {
  const { mode } = await stat(path);
  await writeFile(`${path}.part`, signAdHoc(await readFile(path)), { mode });
  await rename(`${path}.part`, path);
}
