import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { toAppName } from "../core/app-name.ts";
import { AetherError } from "../lib/errors.ts";
import type { CommandContext } from "./command.ts";
import { givenAppName } from "./values.ts";

/** The app a command is about: --app, AETHER_APP, the config file, else the name of the project one stands in. */
export async function resolveAppName({ config, cwd }: CommandContext, given?: string): Promise<string> {
  if (given !== undefined) return givenAppName("The app", given);
  if (config.app !== undefined) return config.app;
  const chosen = await nameIn(join(cwd, "aether.json"));
  if (chosen !== undefined) return givenAppName("The name in aether.json", chosen);
  const packageName = await nameIn(join(cwd, "package.json"));
  if (packageName !== undefined) return givenAppName("The name in package.json", toAppName(packageName)); // as deploy does
  throw new AetherError("usage", "Which app? There is no package.json here that names it.", {
    hint: "Name it, with --app or as the first argument.",
  });
}

async function nameIn(path: string): Promise<string | undefined> {
  const content = await readFile(path, "utf8").catch(() => undefined);
  if (content === undefined) return undefined;
  try {
    const name: unknown = JSON.parse(content).name;
    return typeof name === "string" ? name : undefined;
  } catch (error) {
    throw new AetherError("bad_request", `${path} is not valid JSON.`, { cause: error });
  }
}
