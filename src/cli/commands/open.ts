import { spawn } from "node:child_process";
import { AetherError } from "../../lib/errors.ts";
import { resolveAppName } from "../app-name.ts";
import { appArgs } from "../args.ts";
import { createClient } from "../client.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { startForwarding } from "../session/forward.ts";

export default defineCommand({
  meta: { name: "open", description: "Open an application in the browser; prints its address where there is none" },
  args: { name: { type: "positional", required: false, description: "The app" }, ...appArgs },
  examples: [
    ["aether open", "the application in this folder"],
    ["curl $(aether open shop)", "its address, for scripts"],
  ],
  async run(context) {
    const { args, config, output, signal } = context;
    const app = await resolveAppName(context, args.name);
    const { url } = await createClient({ ...config, signal }).app(app);
    if (url === null) return await openForwarded(context, app);
    if (output.isJson) return output.json({ app, url });
    output.text(`${url}\n`);
    const opener = openerFor(context);
    if (opener !== undefined) open(opener, url);
  },
});

/** For a person who looks at it now: a script would wait for ever. */
async function openForwarded(context: CommandContext, app: string): Promise<void> {
  const { config, output, signal } = context;
  if (!output.isInteractive || process.stdout.isTTY !== true) {
    throw new AetherError("not_found", `Nothing routes to ${app}: it has no address.`, {
      hint: `aether port-forward ${app} gives it one on this machine while it runs.`,
    });
  }
  const { port, over } = await startForwarding({ ...config, app, localPort: 0, signal, warn: output.warn });
  const url = `http://127.0.0.1:${port}`;
  if (output.isJson) output.json({ app, url });
  else output.text(`${url}\n`);
  output.step(`Nothing routes to ${app}: it is reached there until Ctrl-C`);
  const opener = openerFor(context);
  if (opener !== undefined) open(opener, url);
  await over;
}

/** The program that shows a URL; only for a person at a terminal of a machine with a screen. */
function openerFor({ output, env }: CommandContext): string | undefined {
  if (!output.isInteractive || process.stdout.isTTY !== true) return undefined;
  if (process.platform === "darwin") return "open";
  return env.DISPLAY || env.WAYLAND_DISPLAY ? "xdg-open" : undefined;
}

/** The address is printed already: a machine without that program has lost nothing. */
function open(opener: string, url: string): void {
  spawn(opener, [url], { detached: true, stdio: "ignore" })
    .once("error", () => undefined)
    .unref();
}
