import { Counter, Histogram, type Registry } from "prom-client";
import { failureReasons } from "../../core/deployment.ts";

/** How deployments end. */
export function createDeploymentMetrics(registers: Registry[]) {
  const metrics = {
    deploymentsRan: new Counter({
      name: "deployments_running_total",
      help: "Deployments that came to run",
      registers,
    }),
    timeToRunning: new Histogram({
      name: "deployment_time_to_running_seconds",
      help: "Time from the request to the running deployment",
      buckets: [0.5, 1, 2, 5, 10, 30, 60, 120, 300],
      registers,
    }),
    deploymentsFailed: new Counter({
      name: "deployments_failed_total",
      help: "Deployments that failed",
      labelNames: ["reason"] as const,
      registers,
    }),
  };
  for (const reason of failureReasons) metrics.deploymentsFailed.inc({ reason }, 0);
  return metrics;
}
