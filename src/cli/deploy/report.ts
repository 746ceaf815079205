import type { StageTimings } from "../../core/replica-stages.ts";
import { AetherError } from "../../lib/errors.ts";
import type { PlannedChanges } from "./planned-changes.ts";

/** `deploy --format json` (design section 5). Before deploying, the later fields are absent. */
export interface DeployFields {
  artifact: string | null;
  digest: string | null;
  size_bytes: number | null;
  manifest: string | null;
  sbom: string | null;
  signature: string | null;
  provenance: string | null;
  note: string | null;
  /** The ten largest files, where nothing is deployed or the package is unusually large. */
  largest?: { path: string; size_bytes: number }[];
  app?: string;
  deployment_id?: string;
  status?: string;
  url?: string | null;
  version?: number;
  uploaded_bytes?: number;
  reused_bytes?: number;
  /** With --plan: what a deploy would change. */
  changes?: PlannedChanges;
  /** Milliseconds, as `<name>_ms`. */
  timings: Record<string, number>;
}

/** What a deploy has done so far; on failure it is told together with the cause. */
export interface Report {
  readonly fields: DeployFields;
  set(fields: Partial<DeployFields>): void;
  /** Runs a step and notes how long it took, as `<name>_ms`; a step in several parts takes as long as all of them. */
  timed<T>(name: string, step: () => Promise<T>): Promise<T>;
  /** What others measured. */
  note(timings: StageTimings): void;
  /** Whatever fails after `signal` was aborted, was interrupted. */
  describeFailures(signal: AbortSignal, work: () => Promise<void>): Promise<void>;
}

/** An empty report whose clock starts now. */
export function createReport(): Report {
  const started = performance.now();
  const fields: DeployFields = {
    artifact: null,
    digest: null,
    size_bytes: null,
    manifest: null,
    sbom: null,
    signature: null,
    provenance: null,
    note: null,
    timings: {},
  };
  const took = (name: string, since: number) => {
    const before = fields.timings[`${name}_ms`] ?? 0;
    fields.timings[`${name}_ms`] = before + Math.round(performance.now() - since);
  };
  return {
    fields,
    set: (more) => void Object.assign(fields, more),
    note: (timings) => void Object.assign(fields.timings, timings),
    async timed(name, step) {
      const since = performance.now();
      try {
        return await step();
      } finally {
        took(name, since);
      }
    },
    async describeFailures(signal, work) {
      try {
        await work();
      } catch (thrown) {
        const error: unknown = signal.aborted ? signal.reason : thrown;
        if (!(error instanceof AetherError)) throw error;
        const { code, message, hint, details } = error;
        throw new AetherError(code, message, { cause: error, hint, details: { ...fields, ...details } });
      } finally {
        took("total", started);
      }
    },
  };
}
