import { appLimitBounds } from "../../../core/app-limits.ts";
import type { AppLimitsRequest } from "../../../core/wire.ts";
import { durationSecs } from "../../../lib/durations.ts";
import { AetherError } from "../../../lib/errors.ts";
import { resolveAppName } from "../../app-name.ts";
import { appArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { givenBytes, givenNumber } from "../../values.ts";

const limit = (description: string, valueHint = "number|none") =>
  ({ type: "string", valueHint, description: `${description}; none: the server's own` }) as const;

export default defineCommand({
  meta: { name: "apps set", description: "Set an app's own quotas and retention" },
  args: {
    name: { type: "positional", required: false, description: "The app" },
    "max-artifacts": limit("Artifacts it may have"),
    "max-total-bytes": limit("Bytes its artifacts may have, such as 10GB", "size|none"),
    "retain-latest": limit("Stored artifacts that are kept, the newest"),
    "retain-max-age-secs": limit("Older ones are removed as well; seconds, or such as 30d", "age|none"),
    ...appArgs,
  },
  examples: [
    ["aether apps set shop --max-artifacts 50", "a quota of its own"],
    ["aether apps set shop --max-total-bytes 10GB --retain-max-age-secs 30d", "units are understood"],
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
const examples = {
  "max-artifacts": "50",
  "max-total-bytes": "10GB",
  "retain-latest": "5",
  "retain-max-age-secs": "30d",
};

function limitsOf(args: Partial<Record<(typeof flags)[number], string | undefined>>): AppLimitsRequest {
  const given = flags.flatMap((flag) => {
    const value = args[flag];
    const name = flag.replaceAll("-", "_") as keyof AppLimitsRequest;
    return value === undefined ? [] : [[name, parseLimit(flag, name, value)] as const];
  });
  return Object.fromEntries(given);
}

function parseLimit(flag: (typeof flags)[number], name: keyof AppLimitsRequest, given: string): number | null {
  if (given === "none") return null;
  if (flag === "max-total-bytes") return givenBytes(`--${flag}`, given);
  const seconds = flag === "retain-max-age-secs" ? durationSecs(given) : undefined;
  const value = seconds === undefined ? given : String(seconds);
  return givenNumber(`--${flag}`, value, { ...appLimitBounds[name], example: `${examples[flag]}, or none` });
}
