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
  /** Present: the noun alone, or with flags, is a command as well: `aether dev --hot`. */
  load?: Load;
}

// Erases each command's own argument types: run.ts parses by the command's definition, so they agree by construction.
const lazily = (load: () => Promise<{ default: unknown }>): Load => load as Load;

/** Every command, in the order `aether --help` shows them. */
export const commands: Record<string, Verb | Noun> = {
  serve: { summary: "Start the platform on this machine", load: lazily(() => import("./serve.ts")) },
  deploy: { summary: "Pack an application and release it", load: lazily(() => import("./deploy.ts")) },
  dev: {
    summary: "Deploy a folder, and again each time that it changes",
    load: lazily(() => import("./dev.ts")),
    verbs: {
      "deploy-sample": { summary: "Deploy a sample application", load: lazily(() => import("./dev/deploy-sample.ts")) },
      "hot-upload": {
        summary: "Pack and upload, and deploy nothing",
        load: lazily(() => import("./dev/hot-upload.ts")),
      },
      "hot-patch": {
        summary: "Load a stored artifact into what runs",
        load: lazily(() => import("./dev/hot-patch.ts")),
      },
      "hot-status": { summary: "Show what each replica runs", load: lazily(() => import("./dev/hot-status.ts")) },
      rollback: { summary: "Return to the digest that ran before", load: lazily(() => import("./dev/rollback.ts")) },
    },
  },
  list: { summary: "List the applications", load: lazily(() => import("./list.ts")) },
  status: { summary: "Show what runs, and since when", load: lazily(() => import("./status.ts")) },
  logs: { summary: "Show an application's output", load: lazily(() => import("./logs.ts")) },
  env: {
    summary: "Set, unset, list and import an app's variables",
    verbs: {
      set: { summary: "Set variables, and release with them", load: lazily(() => import("./env/set.ts")) },
      unset: { summary: "Take variables away", load: lazily(() => import("./env/unset.ts")) },
      list: { summary: "List them, without their values", load: lazily(() => import("./env/list.ts")) },
      import: { summary: "Set those of a .env file", load: lazily(() => import("./env/import.ts")) },
    },
  },
  releases: { summary: "List an app's releases", load: lazily(() => import("./releases.ts")) },
  rollback: { summary: "Return to an earlier release", load: lazily(() => import("./rollback.ts")) },
  restart: { summary: "Start what runs anew", load: lazily(() => import("./restart.ts")) },
  scale: { summary: "Say how many replicas an app has", load: lazily(() => import("./scale.ts")) },
  lock: { summary: "Let nothing be released for a while", load: lazily(() => import("./lock.ts")) },
  unlock: { summary: "Let releases be made again", load: lazily(() => import("./unlock.ts")) },
  exec: { summary: "Run a command where an application runs", load: lazily(() => import("./exec.ts")) },
  run: { summary: "Run a command in a replica of its own", load: lazily(() => import("./run.ts")) },
  "port-forward": {
    summary: "Reach an application's port on this machine",
    load: lazily(() => import("./port-forward.ts")),
  },
  open: { summary: "Open an application in the browser", load: lazily(() => import("./open.ts")) },
  apps: {
    summary: "List, create, change and delete apps",
    verbs: {
      list: { summary: "List the apps", load: lazily(() => import("./apps/list.ts")) },
      show: { summary: "Show an app", load: lazily(() => import("./apps/show.ts")) },
      create: { summary: "Create an app", load: lazily(() => import("./apps/create.ts")) },
      set: { summary: "Set an app's quotas and retention", load: lazily(() => import("./apps/set.ts")) },
      delete: { summary: "Delete an app with all it has", load: lazily(() => import("./apps/delete.ts")) },
    },
  },
  artifacts: {
    summary: "Show what is stored",
    verbs: {
      list: { summary: "List stored artifacts", load: lazily(() => import("./artifacts/list.ts")) },
      show: { summary: "Show one", load: lazily(() => import("./artifacts/show.ts")) },
    },
  },
  keys: {
    summary: "Make, list, add and revoke the keys that sign for an app",
    verbs: {
      generate: { summary: "Make a key pair", load: lazily(() => import("./keys/generate.ts")) },
      list: { summary: "List an app's public keys", load: lazily(() => import("./keys/list.ts")) },
      add: { summary: "Let a key sign for an app", load: lazily(() => import("./keys/add.ts")) },
      revoke: { summary: "Revoke a key", load: lazily(() => import("./keys/revoke.ts")) },
    },
  },
  verify: { summary: "Check an artifact's signature", load: lazily(() => import("./verify.ts")) },
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
