import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { AetherError, messageOf } from "../../lib/errors.ts";
import type { RuntimePlatform } from "../runtime.ts";

/** The machine's Node.js: where it lies and what it says of itself. */
export interface MachineNode {
  path: string;
  platform: RuntimePlatform & { node: string };
}

const question = `process.report && (process.report.excludeNetwork = true);
const report = process.platform === "linux" && process.report ? process.report.getReport() : undefined;
console.log(JSON.stringify({
  os: process.platform, arch: process.arch, node: process.versions.node,
  libc: process.platform !== "linux" ? "none" : report && report.header.glibcVersionRuntime ? "glibc" : "musl",
}))`;

/** Finds Node.js on `path` (or takes `nodePath`) and asks it; throws what a person has to do when there is none. */
export async function findMachineNode(options: { nodePath?: string | undefined; path: string }): Promise<MachineNode> {
  const path = options.nodePath ?? Bun.which("node", { PATH: options.path });
  if (path === null) {
    throw new AetherError("service_unavailable", "Applications cannot be run: there is no Node.js on the PATH.", {
      hint: "Install Node.js 18 or newer and start the server again.",
    });
  }
  const platform = await ask(path);
  if (Number(platform.node.split(".")[0]) >= 18) return { path, platform };
  throw new AetherError("service_unavailable", `Applications cannot be run: ${path} is Node.js ${platform.node}.`, {
    hint: "Install Node.js 18 or newer and start the server again.",
  });
}

async function ask(path: string): Promise<RuntimePlatform & { node: string }> {
  try {
    const { stdout } = await promisify(execFile)(path, ["-e", question], { env: {} });
    return JSON.parse(stdout);
  } catch (error) {
    throw new AetherError(
      "service_unavailable",
      `Applications cannot be run: ${path} does not start: ${messageOf(error)}`,
      {
        cause: error,
        hint: "Install Node.js 18 or newer and start the server again.",
      },
    );
  }
}
