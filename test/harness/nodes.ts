import { existsSync } from "node:fs";
import { join } from "node:path";
import { tier } from "./tier.ts";

const folder = join(import.meta.dir, "..", "..", ".cache");

/** The Node.js of this machine, and each other that `scripts/nodes` has fetched: `[name, path]`. */
export function nodes(): [string, string][] {
  const found = [18, 20, 22, 24].flatMap((major): [string, string][] => {
    const path = join(folder, `node-${major}`, "node_modules", "node", "bin", "node");
    return existsSync(path) ? [[`Node.js ${major}`, path]] : [];
  });
  tier("nodes", () => (found.length === 4 ? undefined : "run scripts/nodes for Node.js 18, 20, 22 and 24"));
  return found.length === 4 ? found : [["the machine's Node.js", "node"], ...found];
}
