import { Counter, Histogram, Registry } from "prom-client";

/** What the server counts, by its name in Prometheus. Every metric is there from the start, at zero. */
export type Metrics = ReturnType<typeof createMetrics>;

export const hashOutcomes = ["match", "mismatch", "error"] as const;

/** A registry of its own, so that two servers in one test process do not share counts. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const metrics = {
    remoteHash: new Counter({
      name: "artifact_remote_hash_total",
      help: "Stored objects that were hashed again at completion",
      labelNames: ["outcome"] as const,
      registers,
    }),
    remoteHashBytes: new Counter({
      name: "artifact_remote_hash_bytes_total",
      help: "Bytes read from storage to hash them again",
      registers,
    }),
    remoteHashDuration: new Histogram({
      name: "artifact_remote_hash_duration_seconds",
      help: "Time to hash a stored object again",
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60],
      registers,
    }),
    digestMismatch: new Counter({
      name: "artifact_digest_mismatch_total",
      help: "Uploads whose stored bytes were not what was announced",
      registers,
    }),
    pendingGcRuns: new Counter({
      name: "artifact_pending_gc_runs_total",
      help: "Searches for uploads that were never completed",
      registers,
    }),
    pendingGcDeleted: new Counter({
      name: "artifact_pending_gc_deleted_total",
      help: "Uploads removed because they were never completed",
      registers,
    }),
  };
  for (const outcome of hashOutcomes) metrics.remoteHash.inc({ outcome }, 0);
  return { ...metrics, registry };
}
