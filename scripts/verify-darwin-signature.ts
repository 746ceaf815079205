// Says whether macOS would accept the ad-hoc signature of the given Mach-O files: `bun scripts/verify-darwin-signature.ts FILE...`
// Exit code 1 when one is invalid. Needs no Mac.
import { readFile } from "node:fs/promises";
import { verifySignature } from "./darwin/verify-signature.ts";

for (const path of process.argv.slice(2)) {
  const { arch, identifier, pages, problems } = verifySignature(await readFile(path));
  if (problems.length === 0) console.log(`ok: ${path} (${arch}, identifier ${identifier}, ${pages} pages, ad hoc)`);
  for (const problem of problems) console.error(`invalid: ${path} (${arch}): ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}
