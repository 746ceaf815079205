import { homedir } from "node:os";
import { join } from "node:path";

type Env = Record<string, string | undefined>;

/** Where aether keeps its own files, by the XDG base directory specification. */
export interface Paths {
  configFile: string;
  sessionFile: string;
  cacheFolder: string;
  dataFolder: string;
}

/** A relative XDG variable is invalid by the specification and ignored. */
export function readPaths(env: Env): Paths {
  const home = env.HOME || homedir();
  const base = (value: string | undefined, fallback: string) => (value?.startsWith("/") ? value : join(home, fallback));
  const cacheFolder = join(base(env.XDG_CACHE_HOME, ".cache"), "aether");
  return {
    configFile: join(base(env.XDG_CONFIG_HOME, ".config"), "aether", "config.toml"),
    sessionFile: join(cacheFolder, "session.json"),
    cacheFolder,
    dataFolder: env.AETHER_DATA_DIR || join(base(env.XDG_STATE_HOME, join(".local", "state")), "aether"),
  };
}
