// Unpacks in a process of its own, to be killed: prints the result or the refusal.
import { unpackArtifact } from "../../src/artifact/unpack/unpack.ts";

const [path = "", digest = "", targetFolder = ""] = process.argv.slice(2);
const outcome = await unpackArtifact({ path, digest, targetFolder }).catch((error) => ({
  code: error.code,
  rule: error.details?.rule,
  message: error.message,
}));
console.log(JSON.stringify(outcome));
