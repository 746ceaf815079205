import { walkTree } from "../../src/artifact/pack/walk.ts";

/** The paths that packing an application's folder takes, in the artifact's order, and what it left out by itself. */
export function listed(appFolder: string, dependenciesFolder?: string) {
  const walk = walkTree({ appFolder, dependenciesFolder });
  const paths: string[] = [];
  const groups: string[] = [];
  for (let next = walk.next(); ; next = walk.next()) {
    if (next.done) return { paths, groups, ...next.value };
    groups.push(next.value.name);
    paths.push(...next.value.entries.map(({ path, kind }) => (kind === "folder" ? `${path}/` : path)));
  }
}
