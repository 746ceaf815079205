import { Counter, Gauge, type Registry } from "prom-client";

/** What there is: read from the database when it is asked for, so that every server says the same. */
export function createStoredMetrics(registers: Registry[]) {
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  return {
    artifactsMade: new Counter({ name: "artifacts_total", help: "Artifacts that this server has stored", registers }),
    artifactsStored: gauge("artifacts_stored", "Artifacts that are stored"),
    uploadsInProgress: gauge("artifact_uploads_in_progress", "Uploads that were started and are not completed"),
    artifactsSigned: gauge("artifacts_signed", "Stored artifacts with a signature"),
    artifactsWithSbom: gauge("artifacts_with_sbom", "Stored artifacts with an SBOM"),
    artifactsWithProvenance: gauge("artifacts_with_provenance", "Stored artifacts with provenance"),
    deploymentsRunning: gauge("deployments_running", "Deployments that are running"),
    releaseInfo: new Gauge({
      name: "aether_release_info",
      help: "1 for each release that is running; its commit is empty when nobody told",
      labelNames: ["app", "digest12", "commit"] as const,
      registers,
    }),
  };
}
