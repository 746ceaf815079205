import { expect, test } from "bun:test";
import type { Resources } from "../../../src/k8s/builders/app-release.ts";
import { appResources, fetchResources } from "../../../src/k8s/builders/resources.ts";
import { appRelease } from "../../harness/app-release.ts";

const small = { cpu: "100m", memory: "128Mi" };

test.each<[string, Resources | undefined, Resources]>([
  ["nothing", undefined, { requests: small, limits: { memory: "512Mi" } }],
  ["a memory limit below the default request", { limits: { memory: "64Mi" } }, limited("64Mi", "64Mi")],
  ["a memory request above the default limit", { requests: { memory: "2Gi" } }, limited("2Gi", "2Gi")],
  ["both of memory", { requests: { memory: "1Gi" }, limits: { memory: "2Gi" } }, limited("1Gi", "2Gi")],
  [
    "a limit of CPU below the default request",
    { limits: { cpu: "50m" } },
    { requests: { cpu: "50m", memory: "128Mi" }, limits: { cpu: "50m", memory: "512Mi" } },
  ],
])("of %s follows what no default contradicts", (_, resources, expected) => {
  expect(appResources(appRelease({ resources }))).toEqual(expected as never);
});

test.each<Resources>([
  { limits: { cpu: "20m" } },
  { requests: { cpu: "250m" }, limits: { cpu: "1" } },
  { requests: { cpu: "2", memory: "4Gi" } },
])("with %j the agent takes as much CPU as the application, and memory of its own", (resources) => {
  const release = appRelease({ resources });
  const app = appResources(release);
  expect(fetchResources(release)).toEqual({
    requests: { cpu: app.requests?.cpu as string, memory: "64Mi" },
    limits: { ...(app.limits?.cpu && { cpu: app.limits.cpu }), memory: "512Mi" },
  });
});

function limited(requested: string, limit: string): Resources {
  return { requests: { cpu: "100m", memory: requested }, limits: { memory: limit } };
}
