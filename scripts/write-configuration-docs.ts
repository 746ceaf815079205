// Writes src/docs/configuration.md from the parser that reads the variables; a test fails when the two differ.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { configurationDocument } from "../src/config/configuration-document.ts";

await writeFile(join(import.meta.dir, "..", "src", "docs", "configuration.md"), configurationDocument());
