import type { Command } from "../command.ts";

type Load = () => Promise<{ default: Command }>;

/** A command of its own. Its file is loaded only when it is run. */
export interface Verb {
  summary: string;
  load: Load;
}

/** A noun with verbs: `aether tokens list`. Each verb is a file in the folder of that name. */
export interface Noun {
  summary: string;
  verbs: Record<string, Verb>;
}

// Erases each command's own argument types: run.ts parses by the command's definition, so they agree by construction.
const lazily = (load: () => Promise<{ default: unknown }>): Load => load as Load;

/** Every command, in the order `aether --help` shows them. */
export const commands: Record<string, Verb | Noun> = {
  serve: { summary: "Start the platform on this machine", load: lazily(() => import("./serve.ts")) },
  deploy: { summary: "Pack an application and release it", load: lazily(() => import("./deploy.ts")) },
  list: { summary: "List the applications", load: lazily(() => import("./list.ts")) },
  status: { summary: "Show what runs, and since when", load: lazily(() => import("./status.ts")) },
  logs: { summary: "Show an application's output", load: lazily(() => import("./logs.ts")) },
  audit: { summary: "Show who changed what", load: lazily(() => import("./audit.ts")) },
  webhooks: {
    summary: "Have events sent to a URL",
    verbs: {
      list: { summary: "List who is told of events", load: lazily(() => import("./webhooks/list.ts")) },
      create: { summary: "Have events sent to a URL", load: lazily(() => import("./webhooks/create.ts")) },
      remove: { summary: "Send no more events to a URL", load: lazily(() => import("./webhooks/remove.ts")) },
    },
  },
  login: { summary: "Remember a server and its token", load: lazily(() => import("./login.ts")) },
  tokens: {
    summary: "Make, list, rotate and revoke access tokens",
    verbs: {
      list: { summary: "List them", load: lazily(() => import("./tokens/list.ts")) },
      create: { summary: "Make one", load: lazily(() => import("./tokens/create.ts")) },
      rotate: { summary: "Make a successor, with an overlap", load: lazily(() => import("./tokens/rotate.ts")) },
      revoke: { summary: "End one", load: lazily(() => import("./tokens/revoke.ts")) },
    },
  },
  completions: { summary: "Print a completion script for your shell", load: lazily(() => import("./completions.ts")) },
  version: { summary: "Print the version", load: lazily(() => import("./version.ts")) },
};

/** Whether an entry is a noun with verbs. */
export const isNoun = (entry: Verb | Noun): entry is Noun => "verbs" in entry;
