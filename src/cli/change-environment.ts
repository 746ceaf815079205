import type { EnvironmentRequest } from "../core/wire.ts";
import { AetherError } from "../lib/errors.ts";
import { resolveAppName } from "./app-name.ts";
import { isNotFound } from "./client/errors.ts";
import { createClient } from "./client.ts";
import type { CommandContext } from "./command.ts";
import { followRelease } from "./follow-release.ts";

/** Flags of the commands that change variables. */
export const changeArgs = {
  deploy: { type: "boolean", default: true, negativeDescription: "The next release gets them; make none now" },
  detach: { type: "boolean", description: "Do not wait until the release answers" },
  "rollback-on-failure": {
    type: "boolean",
    description: "Should the release fail, the variables become again what they were",
  },
} as const;

interface ChangeFlags {
  deploy?: boolean | undefined;
  detach?: boolean | undefined;
  "rollback-on-failure"?: boolean | undefined;
}

/** Sends a change of variables, waits for the release that it makes, and tells the names; never a value. */
export async function changeEnvironment(
  context: CommandContext & { args: ChangeFlags },
  change: Pick<EnvironmentRequest, "set" | "unset">,
): Promise<void> {
  const { args, config, output, signal } = context;
  const app = await resolveAppName(context);
  const client = createClient({ ...config, signal });
  const options = { deploy: args.deploy !== false, rollback_on_failure: args["rollback-on-failure"] === true };
  const sent = client.changeEnvironment(app, { ...change, ...options });
  const { variables, deployment } = await sent.catch((error: unknown) => {
    throw isNotFound(error) ? notYetThere(app, error) : error;
  });
  output.done(`${app}: ${told(change)}`);
  if (deployment === null) {
    output.step(
      args.deploy === false ? "The next release gets them." : "Nothing runs yet: the first deploy gets them.",
    );
    return output.isJson ? output.json({ app, variables, deployment_id: null }) : undefined;
  }
  const released = await followRelease({ app, ...deployment, detach: args.detach === true }, { ...context, client });
  if (output.isJson) output.json({ app, variables, ...released });
}

/** Variables are often wanted before the first deploy, which would make the app. */
function notYetThere(app: string, cause: unknown): AetherError {
  return new AetherError("not_found", `There is no app "${app}".`, {
    cause,
    hint: `Make it with aether apps create ${app}; its first deploy gets the variables.`,
  });
}

function told({ set = {}, unset = [] }: Pick<EnvironmentRequest, "set" | "unset">): string {
  const names = Object.keys(set).sort();
  const parts = [
    names.length > 0 ? `set ${names.join(", ")}` : "",
    unset.length > 0 ? `unset ${unset.join(", ")}` : "",
  ];
  return parts.filter((part) => part !== "").join("; ") || "nothing to change";
}
