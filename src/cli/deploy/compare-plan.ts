import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Manifest } from "../../core/artifact-layout.ts";
import { shortDigest } from "../../core/digest.ts";
import { orNothing } from "../client.ts";
import type { DeployContext, DeployPlan, PackedProject } from "./pack-project.ts";
import { type Changed, type PlannedChanges, plannedChanges } from "./planned-changes.ts";

/** Says what deploying this would change against what runs. */
export async function comparePlan(packed: PackedProject, plan: DeployPlan, context: DeployContext): Promise<void> {
  const { client, report, output } = context;
  const app = await orNothing(client.app(packed.app)); // its first deploy makes it
  const releases = app ? await client.releases(packed.app, 100) : [];
  const release = releases.find(({ status }) => status === "pending" || status === "running");
  const changes = plannedChanges({
    packed,
    release,
    before: release && (await knownManifest(plan.outFolder, release.digest)),
    variables: app ? await client.variables(packed.app, false) : [],
    scale: app?.replicas ?? null,
    locked: app?.locked?.reason ?? null,
  });
  report.set({ changes });
  if (!output.isJson) output.text(describe(packed, changes));
}

/** What this machine deployed lies in its cache for a while, with its manifest. The server never reads artifacts. */
async function knownManifest(folder: string, digest: string): Promise<Manifest | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, `app-${digest}.manifest.json`), "utf8"));
  } catch {
    return undefined; // another machine deployed it, or it was long ago: then only the digest is compared
  }
}

function describe(packed: PackedProject, changes: PlannedChanges): string {
  const { against, same_artifact, files, packages, configuration, variables, locked } = changes;
  const lines = [
    against === null
      ? `${packed.app}: nothing runs; this would be its first release`
      : `${packed.app}: against v${against.version} (${against.status}, ${shortDigest(against.digest)})`,
    same_artifact ? "files: the same artifact" : listed("files", files),
    same_artifact ? "" : listed("packages", packages),
    ...configuration.map(({ name, before, after }) => `${name}: ${JSON.stringify(before)} → ${JSON.stringify(after)}`),
    variables === null ? "" : listed("variables", { ...variables, changed: [] }),
    locked === null ? "" : `locked: ${locked}; a deploy is refused until aether unlock ${packed.app}`,
  ];
  return lines
    .filter((line) => line !== "")
    .map((line) => `${line}\n`)
    .join("");
}

function listed(what: string, changed: Changed | null): string {
  if (changed === null) return what === "files" ? `${what}: others; what runs was not packed on this machine` : "";
  const marked = [...mark("+", changed.added), ...mark("-", changed.removed), ...mark("~", changed.changed)];
  if (marked.length === 0) return "";
  const shown = marked
    .slice(0, 30)
    .map((line) => `\n  ${line}`)
    .join("");
  return `${what}:${shown}${marked.length > 30 ? `\n  and ${marked.length - 30} more` : ""}`;
}

const mark = (sign: string, names: string[]): string[] => names.map((name) => `${sign} ${name}`);
