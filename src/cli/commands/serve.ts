import { resolve } from "node:path";
import { parseServerConfig } from "../../config/server.ts";
import { commonArgs } from "../args.ts";
import { defineCommand } from "../command.ts";
import { givenNumber } from "../values.ts";

export default defineCommand({
  meta: { name: "serve", description: "Start the platform: API, database, storage, and a place to run applications" },
  args: {
    host: { type: "string", valueHint: "address", description: "Where to listen (AETHER_HOST; default 127.0.0.1)" },
    port: {
      type: "string",
      valueHint: "port",
      description: "The API's port (AETHER_PORT; default 8080, 0 takes a free one)",
    },
    "gateway-port": {
      type: "string",
      valueHint: "port",
      description: "Where applications answer (AETHER_GATEWAY_PORT; default 8081, 0 takes a free one)",
    },
    "data-dir": {
      type: "string",
      valueHint: "folder",
      description: "Where everything is kept (AETHER_DATA_DIR; default under XDG state)",
    },
    ...commonArgs,
  },
  examples: [
    ["aether serve", "everything embedded: API at 127.0.0.1:8080, applications at <app>.localhost:8081"],
    ["aether serve --data-dir ./data --port 0 --json", "on free ports, which are printed as JSON"],
    ["AETHER_API_TOKENS=$TOKEN:admin aether serve --host 0.0.0.0", "for other machines, with a token"],
  ],
  async run({ args, env, output, signal, cwd }) {
    const flags = {
      AETHER_HOST: args.host,
      AETHER_PORT: portOf("--port", args.port),
      AETHER_GATEWAY_PORT: portOf("--gateway-port", args["gateway-port"]),
      AETHER_DATA_DIR: args["data-dir"] === undefined ? undefined : resolve(cwd, args["data-dir"]),
    };
    const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
    const config = parseServerConfig({ ...env, ...given });
    const { startServer } = await import("../../serve/start-server.ts");
    const server = await startServer({ config, env, isInteractive: output.isInteractive });
    if (output.isJson) output.json(server.summary);
    else output.done(readyLine(server.summary));
    await server.until(signal);
  },
});

const readyLine = ({ api, apps }: { api: string; apps: string | null }): string =>
  `aether is ready: the API at ${api}, applications ${apps === null ? "on Kubernetes" : `at ${apps}`}`;

/** A port as it was given; a wrong one is the command line's mistake, not the environment's. */
function portOf(flag: string, value: string | undefined): string | undefined {
  if (value !== undefined) givenNumber(flag, value, { min: 0, max: 65_535, example: "8080; 0 takes a free one" });
  return value;
}
