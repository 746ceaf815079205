import { spawn } from "node:child_process";
import { AetherError } from "../../lib/errors.ts";
import { resolveAppName } from "../app-name.ts";
import { appArgs } from "../args.ts";
import { createClient } from "../client.ts";
import { type CommandContext, defineCommand } from "../command.ts";

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
    if (url === null) throw new AetherError("not_found", `Nothing routes to ${app}: it has no address.`);
    if (output.isJson) return output.json({ app, url });
    output.text(`${url}\n`);
    const opener = openerFor(context);
    if (opener !== undefined) open(opener, url);
  },
});

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
