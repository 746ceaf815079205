import type { Command } from "../command.ts";

type Load = () => Promise<{ default: Command }>;

// Erases each command's own argument types: run.ts parses by the command's definition, so they agree by construction.
const lazily = (load: () => Promise<{ default: unknown }>): Load => load as Load;

/** Every command, in the order `aether --help` shows them. Each is loaded only when it is run. */
export const commands = {
  serve: { summary: "Start the platform on this machine", load: lazily(() => import("./serve.ts")) },
  deploy: { summary: "Pack an application and release it", load: lazily(() => import("./deploy.ts")) },
  list: { summary: "List the applications", load: lazily(() => import("./list.ts")) },
  status: { summary: "Show what runs, and since when", load: lazily(() => import("./status.ts")) },
  logs: { summary: "Show an application's output", load: lazily(() => import("./logs.ts")) },
  login: { summary: "Remember a server and its token", load: lazily(() => import("./login.ts")) },
  completions: { summary: "Print a completion script for your shell", load: lazily(() => import("./completions.ts")) },
  version: { summary: "Print the version", load: lazily(() => import("./version.ts")) },
} as const satisfies Record<string, { summary: string; load: Load }>;

export type CommandName = keyof typeof commands;

/** Whether `name` is a command. */
export const isCommandName = (name: string): name is CommandName => Object.hasOwn(commands, name);
