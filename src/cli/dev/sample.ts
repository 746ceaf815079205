import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import page from "../../../examples/sample-node/index.html" with { type: "text" };
import packageJson from "../../../examples/sample-node/package.json";
import server from "../../../examples/sample-node/server.js" with { type: "text" };
import { asFolderError, systemCode } from "../../lib/errors.ts";

/** Where the sample is written, from the folder one stands in. */
export const samplePath = join("examples", "sample-node");

const files: Record<string, string> = {
  "index.html": page,
  "package.json": `${JSON.stringify(packageJson, null, 2)}\n`,
  "server.js": server,
};

/** Writes the sample application; a file that is there stays as it is. Tells which were written. */
export async function writeSample(folder: string): Promise<string[]> {
  try {
    await mkdir(folder, { recursive: true });
    const written: string[] = [];
    for (const [name, text] of Object.entries(files)) if (await writeNew(join(folder, name), text)) written.push(name);
    return written;
  } catch (error) {
    throw asFolderError(error, "write the sample to", folder);
  }
}

async function writeNew(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}
