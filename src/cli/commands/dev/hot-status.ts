import { shortDigest } from "../../../core/digest.ts";
import type { DeploymentStatusView, DeploymentView, ReplicaView } from "../../../core/wire.ts";
import { resolveAppName } from "../../app-name.ts";
import { appArgs } from "../../args.ts";
import { createClient } from "../../client.ts";
import { defineCommand } from "../../command.ts";
import { currentOf, readHistory, runningOf } from "../../dev/history.ts";
import { table } from "../../table.ts";

export default defineCommand({
  meta: {
    name: "dev hot-status",
    description: "Show the digest in force, and what each replica runs and fetched last",
  },
  args: { name: { type: "positional", required: false, description: "The app" }, ...appArgs },
  examples: [
    ["aether dev hot-status shop", "which replica runs what"],
    ["aether dev hot-status shop --json", "for scripts"],
  ],
  async run(context) {
    const { args, config, output, signal } = context;
    const client = createClient({ ...config, signal });
    const app = await resolveAppName(context, args.name);
    const history = await readHistory(client, app);
    const inForce = await client.deployment((currentOf(history) ?? runningOf(history, app)).id);
    const [latest = inForce] = history;
    if (output.isJson) return output.json(toJson(inForce, latest));
    output.text(`${describe(inForce)}\n${tableOf(inForce)}${trouble(latest)}`);
  },
});

/** A replica that reported nothing has fetched its code before it came up. */
const fetchedAt = ({ reload, since }: ReplicaView): string => reload?.at ?? since;

function toJson(
  { app, digest, version, status, dev_hot, url, ...inForce }: DeploymentStatusView,
  latest: DeploymentView,
) {
  const replicas = inForce.replicas.map((replica) => ({
    name: replica.name,
    state: replica.state,
    digest: replica.digest,
    version: replica.version,
    fetched_at: fetchedAt(replica),
    reload: replica.reload ?? null,
  }));
  const { failure_reason, failure_message } = latest;
  const failed = latest.status === "failed" ? { version: latest.version, digest: latest.digest } : null;
  return {
    ...{ app, digest, version, status, dev_hot, url, wanted_replicas: inForce.wanted_replicas ?? null, replicas },
    failed: failed && { ...failed, failure_reason, failure_message },
  };
}

function describe({ app, digest, version, status, dev_hot, wanted_replicas: wanted, replicas }: DeploymentStatusView) {
  const count = replicas.filter((one) => one.digest === digest && one.state === "running").length;
  const kind = dev_hot ? "" : "It was not deployed for hot reload: other code gets new replicas.\n";
  const state = status === "pending" ? "is on its way" : "is in force";
  return `${app}: ${digest} ${state} (v${version}); ${count} of ${wanted ?? replicas.length} replicas run it\n${kind}`;
}

function tableOf({ replicas }: DeploymentStatusView): string {
  const rows = replicas.map((replica) => [
    replica.name,
    replica.state,
    shortDigest(replica.digest),
    `v${replica.version}`,
    fetchedAt(replica),
    outcomeOf(replica),
  ]);
  return rows.length === 0 ? "" : table(["REPLICA", "STATE", "RUNS", "VERSION", "FETCHED", "OUTCOME"], rows);
}

function outcomeOf({ reload }: ReplicaView): string {
  if (reload === undefined) return "started with it";
  if (reload.outcome === "ok") return `loaded in ${reload.ms} ms`;
  return `${shortDigest(reload.digest)} failed (${reload.reason ?? "start"})`;
}

function trouble({ version, status, digest, failure_reason, failure_message }: DeploymentView): string {
  if (status !== "failed") return "";
  return `\nv${version} (${shortDigest(digest)}) failed (${failure_reason}): ${failure_message}\n`;
}
