import { readFile } from "node:fs/promises";
import { parse } from "smol-toml";
import { appNameProblem } from "../core/app-name.ts";
import { AetherError, asDiskError, messageOf, systemCode } from "../lib/errors.ts";
import { didYouMean } from "../lib/nearest.ts";
import { type Paths, readPaths } from "./paths.ts";
import { readSession, type Session } from "./session.ts";

/** The settings of one command line: flag beats environment beats file beats what `aether login` remembered. */
export interface CliConfig {
  server: string;
  token: string | undefined;
  /** From --app or AETHER_APP or the file; a command falls back to the project's own name. */
  app: string | undefined;
  paths: Paths;
  session: Session;
}

const fileKeys = ["server", "app"] as const;
type FileConfig = Partial<Record<(typeof fileKeys)[number], string>>;

/** Reads everything once; a wrong value names its source. */
export async function readCliConfig(input: {
  env: Record<string, string | undefined>;
  flags: Record<string, unknown>;
}): Promise<CliConfig> {
  const { env, flags } = input;
  const paths = readPaths(env);
  const [file, session] = await Promise.all([readConfigFile(paths.configFile), readSession(paths.sessionFile)]);
  const server = pick("--server", flags.server) ??
    pick("AETHER_API_BASE", env.AETHER_API_BASE) ??
    pick(paths.configFile, file.server) ??
    pick(paths.sessionFile, session.server) ?? { value: "http://127.0.0.1:8080", source: "default" };
  const base = parseServerUrl(server.value, server.source);
  return {
    server: base,
    token: givenToken("--token", flags.token) ?? givenToken("AETHER_TOKEN", env.AETHER_TOKEN) ?? session.tokens[base],
    app: givenApp(flags.app) ?? namedApp("AETHER_APP", env.AETHER_APP) ?? namedApp(paths.configFile, file.app),
    paths,
    session,
  };
}

/** A token as HTTP can carry it. The error does not repeat it. */
function givenToken(source: string, value: unknown): string | undefined {
  const token = text(value);
  if (token === undefined || /^[\x21-\x7e]+$/.test(token)) return token;
  const code = source.startsWith("--") ? "usage" : "config_invalid";
  throw new AetherError(code, `"${source}" holds what no token can: a space, a line break or a letter beyond ASCII.`, {
    hint: "Better than on the command line is aether login --token-stdin < token.txt.",
  });
}

function givenApp(flag: unknown): string | undefined {
  const app = text(flag);
  const problem = app === undefined ? undefined : appNameProblem(app);
  if (problem === undefined) return app;
  throw new AetherError("usage", `"--app" cannot be "${app}": ${problem}.`, {
    hint: "Choose a name such as shop or billing-api.",
  });
}

/** A name that is set for a longer time than one command line. */
function namedApp(source: string, value: unknown): string | undefined {
  const app = text(value);
  const problem = app === undefined ? undefined : appNameProblem(app);
  if (problem === undefined) return app;
  throw new AetherError("config_invalid", `${source} cannot name the app "${app}": ${problem}.`, {
    hint: "Choose a name such as shop or billing-api.",
  });
}

/** A server's base URL without a trailing slash; `source` is where it was said, for the error. */
export function parseServerUrl(value: string, source: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url && (url.protocol === "http:" || url.protocol === "https:") && !url.username && !url.search && !url.hash) {
    return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
  }
  const isFlag = source.startsWith("--");
  throw new AetherError(
    isFlag ? "usage" : "config_invalid",
    isFlag
      ? `"${source}" cannot be "${value}": it takes a server's address.`
      : `${source} is not a server address: "${value}".`,
    { hint: "Use a URL such as https://aether.example.com, without a query or credentials." },
  );
}

async function readConfigFile(path: string): Promise<FileConfig> {
  const content = await readFile(path, "utf8").catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return "";
    throw asDiskError(error, "read", path);
  });
  const parsed = parseToml(content, path);
  for (const [key, value] of Object.entries(parsed)) {
    if (!fileKeys.some((known) => known === key)) {
      throw new AetherError("config_invalid", `${path} has an unknown key "${key}".`, {
        hint: didYouMean(key, fileKeys) ?? `It may hold ${fileKeys.join(" and ")}.`,
      });
    }
    if (typeof value !== "string") throw new AetherError("config_invalid", `"${key}" in ${path} must be text.`);
  }
  return parsed as FileConfig;
}

function parseToml(content: string, path: string): Record<string, unknown> {
  try {
    return parse(content);
  } catch (error) {
    throw new AetherError("config_invalid", `${path} is not valid TOML: ${messageOf(error)}`, { cause: error });
  }
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

function pick(source: string, value: unknown): { value: string; source: string } | undefined {
  const found = text(value);
  return found === undefined ? undefined : { value: found, source };
}
