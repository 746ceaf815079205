import { shortDigest } from "../../core/digest.ts";
import type { AppView, DeploymentStatusView, ReplicaView } from "../../core/wire.ts";
import { AetherError } from "../../lib/errors.ts";
import { resolveAppName } from "../app-name.ts";
import { appArgs } from "../args.ts";
import { createClient } from "../client.ts";
import { defineCommand } from "../command.ts";
import { table } from "../table.ts";

export default defineCommand({
  meta: { name: "status", description: "Show what an application runs, since when, and why not" },
  args: { name: { type: "positional", required: false, description: "The app" }, ...appArgs },
  examples: [
    ["aether status", "of the application in this folder"],
    ["aether status shop --json", "for scripts"],
  ],
  async run(context) {
    const { args, config, output, signal } = context;
    const client = createClient({ ...config, signal });
    const app = await resolveAppName(context, args.name);
    const recent = await client.deployments(app, 100);
    const [newest] = recent;
    if (newest === undefined) {
      throw new AetherError("not_found", `"${app}" was never deployed.`, { hint: "Deploy it with aether deploy." });
    }
    const current = recent.find(({ status }) => status === "running");
    const running = current === undefined ? null : await client.deployment(current.id);
    const latest = newest.id === running?.id ? running : await client.deployment(newest.id);
    if (output.isJson) return output.json({ app, url: latest.url, running, latest });
    const settings = await client.app(app);
    const what = running === null ? `${app}: nothing runs\n` : describe(running, settings);
    output.text(`${what}${locked(settings)}${trouble(latest)}`);
  },
});

function describe(running: DeploymentStatusView, { replicas: scale }: AppView): string {
  const { app, version, digest, url, last_transition_at, replicas } = running;
  const serves = replicas.some(({ version: of, state }) => of === version && state === "running");
  const silent = scale === 0 ? "is stopped: it is scaled to 0" : "ought to run, and none of its replicas answers";
  const state = serves ? `runs since ${last_transition_at}` : silent;
  const head = `${app} v${version} ${state}\n${url ?? "no address"}  digest ${shortDigest(digest)}\n`;
  const rows = replicas.map(({ name, state, version: of, restarts, since }) => [
    name,
    state,
    `v${of}`,
    String(restarts),
    since,
  ]);
  if (rows.length === 0) return head;
  const reason = serves ? "" : lastFailure(replicas.filter(({ version: of }) => of === version));
  return `${head}${reason}\n${table(["REPLICA", "STATE", "VERSION", "RESTARTS", "SINCE"], rows)}`;
}

/** Why the replicas did not answer when they were tried last. */
function lastFailure(replicas: ReplicaView[]): string {
  const failed = replicas.find(({ failure_reason }) => failure_reason !== null);
  return failed === undefined ? "" : `It was tried, and failed (${failed.failure_reason}): ${failed.failure_message}\n`;
}

function locked({ name, locked: lock }: AppView): string {
  if (!lock) return ""; // none, or an older server
  return `\nLocked by ${lock.by} since ${lock.at}: ${lock.reason}\nWhen that is over: aether unlock ${name}\n`;
}

function trouble({ version, status, failure_reason, failure_message, failure_log }: DeploymentStatusView): string {
  if (status === "pending") return `\nv${version} is on its way.\n`;
  if (status !== "failed") return "";
  const log = (failure_log ?? []).map((line) => `  | ${line}\n`).join("");
  return `\nv${version} failed (${failure_reason}): ${failure_message}\n${log}`;
}
