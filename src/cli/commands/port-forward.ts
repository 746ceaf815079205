import { AetherError } from "../../lib/errors.ts";
import { resolveAppName } from "../app-name.ts";
import { appArgs } from "../args.ts";
import { defineCommand } from "../command.ts";
import { startForwarding } from "../session/forward.ts";

export default defineCommand({
  meta: { name: "port-forward", description: "Reach a port of an application on this machine, until Ctrl-C" },
  args: {
    name: { type: "positional", required: false, description: "The app, or the port for the app of this folder" },
    port: {
      type: "positional",
      required: false,
      description: "[local:]port (default: where it listens, on any free port here)",
    },
    replica: { type: "string", valueHint: "name", description: "Only this one (default: any, for each connection)" },
    ...appArgs,
  },
  examples: [
    ["aether port-forward shop", "prints the address on which shop is reached now"],
    ["aether port-forward shop 8080:3000", "its port 3000, on port 8080 here"],
    ["aether port-forward 9229", "the debugger of the application in this folder"],
  ],
  async run(context) {
    const { args, config, output, signal } = context;
    const { name, ports } = parseForward(args);
    const app = await resolveAppName(context, name);
    const { replica } = args;
    const { port, over } = await startForwarding({ ...config, ...ports, app, replica, signal, warn: output.warn });
    const url = `http://127.0.0.1:${port}`;
    if (output.isJson) output.json({ app, url, host: "127.0.0.1", port, replica: replica ?? null });
    else output.text(`${url}\n`);
    output.step(`${app} is reached there until Ctrl-C`);
    await over;
  },
});

const portsPattern = /^(?:(\d{1,5}):)?(\d{1,5})$/;

function parseForward({ name, port }: { name?: string | undefined; port?: string | undefined }) {
  const isPortAlone = port === undefined && name !== undefined && portsPattern.test(name);
  const [app, given] = isPortAlone ? [undefined, name] : [name, port];
  return { name: app, ports: given === undefined ? { localPort: 0 } : parsePorts(given) };
}

function parsePorts(given: string): { localPort: number; port: number } {
  const [, local, port = ""] = portsPattern.exec(given) ?? [];
  const numbers = { localPort: Number(local ?? port), port: Number(port) };
  if (numbers.port >= 1 && numbers.port <= 65_535 && numbers.localPort <= 65_535) return numbers;
  throw new AetherError("usage", `"${given}" names no port: they go from 1 to 65535.`, {
    hint: "Such as aether port-forward shop 3000, or 8080:3000 for another one here.",
  });
}
