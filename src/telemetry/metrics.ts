import { Registry } from "prom-client";
import { createDeploymentMetrics } from "./metrics/deployments.ts";
import { createDevHotMetrics } from "./metrics/dev-hot.ts";
import { createHttpMetrics } from "./metrics/http.ts";
import { createStoredMetrics } from "./metrics/stored.ts";
import { createUploadMetrics } from "./metrics/uploads.ts";
import { createVerificationMetrics } from "./metrics/verification.ts";

export { hashOutcomes } from "./metrics/verification.ts";

/** What the server counts (design section 4). Every metric is there from the start, at zero. */
export type Metrics = ReturnType<typeof createMetrics>;

/** A registry of its own, so that two servers in one test process do not share counts. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  return {
    ...createUploadMetrics(registers),
    ...createVerificationMetrics(registers),
    ...createStoredMetrics(registers),
    ...createDeploymentMetrics(registers),
    ...createDevHotMetrics(registers),
    ...createHttpMetrics(registers),
    registry,
  };
}
