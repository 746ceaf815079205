import { join } from "node:path";
import type { KubernetesObject } from "@kubernetes/client-node";
import { temporaryFolder } from "./temporary-folder.ts";
import { type Tier, tier } from "./tier.ts";

/** Whether manifests can be checked by kubeconform, with the schemas that the cluster of KUBECONFIG publishes. */
export function kubeconformTier(): Tier {
  return tier("kubeconform", () => {
    const absent = ["kubeconform", "kubectl"].filter((tool) => !Bun.which(tool));
    if (absent.length > 0) return `no ${absent.join(" and no ")} on the PATH`;
    return process.env.KUBECONFIG ? undefined : "KUBECONFIG names no cluster to take schemas from";
  });
}

/** What kubeconform, strict, has against these objects; empty when it has nothing. Each kind must have its schema. */
export async function kubeconform(objects: KubernetesObject[]): Promise<string[]> {
  await using folder = await temporaryFolder();
  await writeSchemas(folder.path, new Set(objects.map(({ kind = "" }) => kind)));
  const location = join(folder.path, "{{ .ResourceKind }}{{ .KindSuffix }}.json");
  const manifest = join(folder.path, "manifest.yaml");
  await Bun.write(manifest, objects.map((object) => JSON.stringify(object)).join("\n---\n"));
  const { stdout } = await run(["kubeconform", "-strict", "-output", "json", "-schema-location", location, manifest]);
  const { resources = [] } = JSON.parse(stdout) as { resources?: { kind: string; msg: string }[] };
  return resources.map(({ kind, msg }) => `${kind}: ${msg}`).sort(); // they come as its workers end
}

interface Definition {
  properties?: object;
  "x-kubernetes-group-version-kind"?: { kind: string; version: string; group: string }[];
}

/** A file a kind, as kubeconform looks for it: `deployment-apps-v1.json`. */
async function writeSchemas(folder: string, wanted: Set<string>): Promise<void> {
  const published = await run(["kubectl", "get", "--raw", "/openapi/v2"]);
  const { definitions } = JSON.parse(published.stdout, tighten) as { definitions: Record<string, Definition> };
  for (const [name, definition] of Object.entries(definitions)) {
    for (const { kind, version, group } of definition["x-kubernetes-group-version-kind"] ?? []) {
      if (!wanted.has(kind)) continue;
      const file = [kind.toLowerCase(), ...(group ? [group.split(".")[0]] : []), version].join("-");
      await Bun.write(join(folder, `${file}.json`), JSON.stringify({ $ref: `#/definitions/${name}`, definitions }));
    }
  }
}

/** The cluster's document allows fields that it does not name, and calls text what may be a number as well. */
function tighten(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if ("format" in value && value.format === "int-or-string") return { type: ["string", "integer"] };
  const isObject = "type" in value && value.type === "object" && "properties" in value;
  return isObject ? { additionalProperties: false, ...value } : value;
}

async function run(command: string[]): Promise<{ stdout: string }> {
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (stdout === "") throw new Error(`${command[0]} said nothing but: ${stderr}`);
  return { stdout };
}
