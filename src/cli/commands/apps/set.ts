import type { AppLimitsRequest } from "../../../core/wire.ts";
import { AetherError } from "../../../lib/errors.ts";
import { resolveAppName } from "../../app-name.ts";
import { appArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";

const limit = (description: string) =>
  ({ type: "string", valueHint: "number|none", description: `${description}; none: the server's own` }) as const;

export default defineCommand({
  meta: { name: "apps set", description: "Set an app's own quotas and retention" },
  args: {
    name: { type: "positional", required: false, description: "The app" },
    "max-artifacts": limit("Artifacts it may have"),
    "max-total-bytes": limit("Bytes its artifacts may have"),
    "retain-latest": limit("Stored artifacts that are kept, the newest"),
    "retain-max-age-secs": limit("Older ones are removed as well"),
    ...appArgs,
  },
  examples: [
    ["aether apps set shop --max-artifacts 50", "a quota of its own"],
    ["aether apps set shop --max-artifacts none", "the server's again"],
  ],
  async run(context) {
    const { args, config, output, signal } = context;
    const limits = limitsOf(args);
    if (Object.keys(limits).length === 0) {
      throw new AetherError("usage", "Nothing to set was named.", {
        hint: "Run aether apps set --help for the flags.",
      });
    }
    const name = await resolveAppName(context, args.name);
    const app = await createClient({ ...config, signal }).changeApp(name, limits);
    if (output.isJson) return output.json(app);
    output.done(`${app.name} is changed; aether apps show ${app.name} shows it.`);
  },
});

const flags = ["max-artifacts", "max-total-bytes", "retain-latest", "retain-max-age-secs"] as const;

function limitsOf(args: Partial<Record<(typeof flags)[number], string | undefined>>): AppLimitsRequest {
  const given = flags.flatMap((flag) => {
    const value = args[flag];
    return value === undefined ? [] : [[flag.replaceAll("-", "_"), parseLimit(flag, value)] as const];
  });
  return Object.fromEntries(given);
}

function parseLimit(flag: string, value: string): number | null {
  if (value === "none") return null;
  if (/^\d{1,16}$/.test(value)) return Number(value);
  throw new AetherError("usage", `"--${flag}" needs a whole number or none, not "${value}".`);
}
