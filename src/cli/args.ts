import type { ArgsDef } from "citty";

/** Flags of every command. */
export const commonArgs = {
  format: { type: "enum", options: ["text", "json"], description: "How the answer is printed" },
  json: { type: "boolean", description: "Short for --format json" },
  quiet: { type: "boolean", alias: "q", description: "Print only the answer and errors" },
} as const satisfies ArgsDef;

/** Flags of every command that speaks to a server. */
export const serverArgs = {
  server: { type: "string", valueHint: "url", description: "The server's address (AETHER_API_BASE)" },
  token: { type: "string", valueHint: "token", description: "The access token (AETHER_TOKEN; better: aether login)" },
  ...commonArgs,
} as const satisfies ArgsDef;

/** For commands about one application. */
export const appArgs = {
  app: {
    type: "string",
    valueHint: "name",
    description: "The app (AETHER_APP; default: its name in aether.json or package.json)",
  },
  ...serverArgs,
} as const satisfies ArgsDef;
