import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** Hot reloads that this server was told of. */
export function createDevHotMetrics(registers: Registry[]) {
  return {
    devHotRefreshes: new Counter({
      name: "dev_hot_refresh_total",
      help: "Hot reloads that were reported to have succeeded",
      registers,
    }),
    devHotFailures: new Counter({
      name: "dev_hot_refresh_failure_total",
      help: "Hot reloads that were reported to have failed",
      labelNames: ["reason"] as const,
      registers,
    }),
    devHotLatency: new Histogram({
      name: "dev_hot_refresh_latency_seconds",
      help: "Time of a hot reload, from the new digest to the answer of the new code",
      buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30],
      registers,
    }),
    devHotConsecutiveFailures: new Gauge({
      name: "dev_hot_consecutive_failures",
      help: "Hot reloads that failed since the last one that succeeded",
      registers,
    }),
  };
}
