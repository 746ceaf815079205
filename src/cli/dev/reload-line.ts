import type { DeploymentStatusView } from "../../core/wire.ts";
import { formatBytes } from "../../lib/bytes.ts";
import { formatMs } from "../../lib/durations.ts";
import type { AetherError } from "../../lib/errors.ts";
import type { DeployFields } from "../deploy/report.ts";

/** One turn of `aether dev`, as far as it came. */
export interface Reload {
  /** Empty for the first one, which takes everything. */
  changed: string[];
  fields: DeployFields;
  /** What runs now; absent when that is what ran before. */
  deployment?: DeploymentStatusView | undefined;
}

/** `server.js → v7: 1.2 KB uploaded, 212 ms (pack 90, upload 40, load 82), replicas 2/2` */
export function reloadLine({ changed, fields, deployment }: Reload): string {
  if (deployment === undefined) return `${subject(changed)}: the same artifact as runs, nothing to load`;
  const { total, ...stages } = stagesOf(fields);
  const parts = Object.entries(stages).map(([name, ms]) => `${name} ${ms}`);
  const { running, wanted } = replicasOf(deployment);
  const uploaded = `${formatBytes(fields.uploaded_bytes ?? 0)} uploaded`;
  const version = `v${deployment.version}`;
  return `${subject(changed)} → ${version}: ${uploaded}, ${formatMs(total)} (${parts.join(", ")}), replicas ${running}/${wanted}`;
}

/** The same for programs, on one line of JSON; with the error where there is one. */
export function reloadJson({ changed, fields, deployment }: Reload, error?: AetherError): string {
  const { app, digest, version, url, uploaded_bytes = 0, reused_bytes = 0 } = fields;
  return JSON.stringify({
    ...(error === undefined ? {} : error.toJSON()),
    app,
    status: error === undefined ? (deployment?.status ?? "unchanged") : "failed",
    changed: changed.slice(0, mostPaths),
    changed_count: changed.length,
    digest,
    version: version ?? null,
    url: deployment?.url ?? url ?? null,
    uploaded_bytes,
    reused_bytes,
    replicas: deployment === undefined ? null : replicasOf(deployment),
    stages: millisecondsOf(stagesOf(fields)),
    timings: fields.timings,
  });
}

/** A checkout changes thousands, and a line is to be read. */
const mostPaths = 100;

function subject(changed: string[]): string {
  if (changed.length === 0) return "all files";
  return changed.length === 1 ? (changed[0] ?? "") : `${changed.length} files`;
}

/** What a save waits for, in three stages (and the build, where there is one). */
function stagesOf({ timings }: DeployFields) {
  const sum = (...names: string[]) => names.reduce((ms, name) => ms + (timings[`${name}_ms`] ?? 0), 0);
  return {
    ...(timings.build_ms === undefined ? {} : { build: timings.build_ms }),
    pack: sum("detect", "install", "check", "pack"),
    upload: sum("upload"),
    load: sum("start"),
    total: sum("total"),
  };
}

const millisecondsOf = (stages: Record<string, number>) =>
  Object.fromEntries(Object.entries(stages).map(([name, ms]) => [`${name}_ms`, ms]));

function replicasOf({ version, wanted_replicas, replicas }: DeploymentStatusView) {
  const running = replicas.filter((one) => one.version === version && one.state === "running").length;
  return { running, wanted: wanted_replicas ?? replicas.length };
}
