import { Counter, Histogram, type Registry } from "prom-client";

export const hashOutcomes = ["match", "mismatch", "error"] as const;
const sbomResults = ["valid", "invalid"] as const;

/** What completing an upload finds out about its bytes. */
export function createVerificationMetrics(registers: Registry[]) {
  const metrics = {
    completeDuration: new Histogram({
      name: "artifact_complete_duration_seconds",
      help: "Time to verify an upload and make it an artifact",
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60],
      registers,
    }),
    completeFailures: new Counter({
      name: "artifact_complete_failures_total",
      help: "Uploads that could not be completed",
      registers,
    }),
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
      help: "Uploads whose bytes were not what was announced",
      registers,
    }),
    verifyFailures: new Counter({
      name: "artifact_verify_failure_total",
      help: "Uploads whose bytes were refused at completion",
      labelNames: ["app", "reason"] as const,
      registers,
    }),
    sbomValidation: new Counter({
      name: "sbom_validation_total",
      help: "SBOMs that were validated",
      labelNames: ["result"] as const,
      registers,
    }),
  };
  for (const outcome of hashOutcomes) metrics.remoteHash.inc({ outcome }, 0);
  for (const result of sbomResults) metrics.sbomValidation.inc({ result }, 0);
  return metrics;
}
