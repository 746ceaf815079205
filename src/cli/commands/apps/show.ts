import type { AppView } from "../../../core/wire.ts";
import { resolveAppName } from "../../app-name.ts";
import { appArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { table } from "../../table.ts";

export default defineCommand({
  meta: { name: "apps show", description: "Show an app with its own quotas and retention" },
  args: { name: { type: "positional", required: false, description: "The app" }, ...appArgs },
  examples: [["aether apps show shop", "what runs is shown by aether status shop"]],
  async run(context) {
    const { args, config, output, signal } = context;
    const app = await createClient({ ...config, signal }).app(await resolveAppName(context, args.name));
    if (output.isJson) return output.json(app);
    output.text(table(["APP", app.name], rowsOf(app)));
  },
});

function rowsOf(app: AppView): string[][] {
  const limit = (value: number | null) => (value === null ? "the server's own" : String(value));
  return [
    ["URL", app.url ?? "-"],
    ["CREATED", app.created_at],
    ["REPLICAS", app.replicas === null ? "each release's own" : String(app.replicas)],
    ["LOCKED", app.locked === null ? "no" : `by ${app.locked.by} since ${app.locked.at}: ${app.locked.reason}`],
    ["MAX ARTIFACTS", limit(app.max_artifacts)],
    ["MAX TOTAL BYTES", limit(app.max_total_bytes)],
    ["RETAIN LATEST", limit(app.retain_latest)],
    ["RETAIN MAX AGE", limit(app.retain_max_age_secs)],
  ];
}
