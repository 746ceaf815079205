import { Counter, Histogram, type Registry } from "prom-client";

const mebibyte = 1024 ** 2;

/** From the presigned URL to the bytes in storage. */
export function createUploadMetrics(registers: Registry[]) {
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name, help, buckets, registers });
  return {
    presignRequests: counter("artifact_presign_requests_total", "Presigned URLs that were asked for"),
    presignFailures: counter(
      "artifact_presign_failures_total",
      "Presigned URLs that were refused or could not be made",
    ),
    uploadBytes: counter("artifact_upload_bytes_total", "Bytes of the artifacts that were stored"),
    uploadDuration: histogram(
      "artifact_upload_duration_seconds",
      "Time from the presigned URL to the stored artifact",
      [0.1, 0.5, 1, 5, 15, 60, 300, 1800],
    ),
    putDuration: histogram(
      "artifact_put_duration_seconds",
      "Time of a PUT whose bytes pass through this server; those that go straight to an object store are not seen",
      [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300],
    ),
    sizeExceeded: counter("artifact_size_exceeded_total", "Uploads that were refused for their size"),
    quotaExceeded: counter("artifact_quota_exceeded_total", "Uploads that were refused by their app's quota"),
    pendingGcRuns: counter("artifact_pending_gc_runs_total", "Searches for uploads that were never completed"),
    pendingGcDeleted: counter("artifact_pending_gc_deleted_total", "Uploads removed because they were never completed"),
    legacyUploads: counter("artifact_legacy_upload_requests_total", "Uploads by the deprecated POST /artifacts"),
    artifactEvents: counter("artifact_events_total", "Status transitions of artifacts made by this server"),
    multipartInits: counter("artifact_multipart_inits_total", "Uploads in parts that were started or resumed"),
    multipartPartPresigns: counter("artifact_multipart_part_presigns_total", "Presigned URLs of single parts"),
    multipartCompletes: counter("artifact_multipart_completes_total", "Uploads in parts that were joined"),
    multipartCompleteFailures: counter(
      "artifact_multipart_complete_failures_total",
      "Uploads in parts that could not be joined",
    ),
    multipartPartSize: histogram(
      "artifact_multipart_part_size_bytes",
      "Announced sizes of parts",
      [1, 5, 16, 64, 256, 1024].map((size) => size * mebibyte),
    ),
    multipartParts: histogram(
      "artifact_multipart_parts_per_artifact",
      "Parts that an artifact was joined of",
      [1, 2, 5, 10, 50, 100, 1000, 10_000],
    ),
    sbomUploads: counter("sbom_uploads_total", "SBOMs that were stored"),
  };
}
