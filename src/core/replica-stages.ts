/**
 * What a replica's start goes through: it is given its place (a node; on this machine a port), its agent begins there
 * (on Kubernetes: the pod's sandbox and volumes, the image, and what the kubelet takes to notice), the release is fetched
 * with its SHA-256 compared, unpacked, and its application is started until it answers.
 */
export const stageNames = ["schedule", "boot", "fetch", "unpack", "ready"] as const;
export type StageName = (typeof stageNames)[number];

/** Milliseconds of each stage; what was not needed (a release that lies there already), or was not seen, is absent. */
export type Stages = Partial<Record<StageName, number>>;

/** The same on the wire. */
export type StageTimings = { [Name in StageName as `${Name}_ms`]?: number | undefined };

/** As the API writes them. */
export function toTimings(stages: Stages): StageTimings {
  const known = stageNames.filter((name) => stages[name] !== undefined);
  return Object.fromEntries(known.map((name) => [`${name}_ms`, Math.max(0, Math.round(stages[name] ?? 0))]));
}

/** Of several replicas the slowest in each stage. */
export function slowest(timings: StageTimings[]): StageTimings {
  const most: StageTimings = {};
  for (const one of timings) {
    for (const name of stageNames) {
      const ms = one[`${name}_ms`];
      if (ms !== undefined) most[`${name}_ms`] = Math.max(ms, most[`${name}_ms`] ?? 0);
    }
  }
  return most;
}
