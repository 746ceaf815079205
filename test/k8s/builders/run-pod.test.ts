import { expect, test } from "bun:test";
import { deployment } from "../../../src/k8s/builders/deployment.ts";
import { runPod } from "../../../src/k8s/builders/run-pod.ts";
import { service } from "../../../src/k8s/builders/service.ts";
import { fullRelease } from "../../harness/app-release.ts";

const release = fullRelease();
const pod = runPod(release, { name: "shop-run-abc", aliveAt: new Date("2026-01-01T00:00:00Z") });

test("no selector of the application matches the pod of a command, and its removal finds it", () => {
  const labels = pod.metadata?.labels ?? {};
  const selectors = [deployment(release).spec?.selector.matchLabels, service(release).spec?.selector];
  for (const selector of selectors) {
    expect(Object.entries(selector ?? {}).every(([name, value]) => labels[name] === value)).toBe(false);
  }
  expect(labels["aether.dev/app"]).toBe(release.app);
});

test("it has the release as replicas have it, and ends", () => {
  const template = deployment(release).spec?.template.spec;
  const [own, theirs] = [pod.spec?.containers[0], template?.containers[0]];
  expect(pod.spec).toMatchObject({ restartPolicy: "Never", activeDeadlineSeconds: 86_400 });
  expect(pod.spec?.initContainers).toEqual(template?.initContainers);
  expect(pod.spec?.volumes).toEqual(template?.volumes);
  for (const key of ["image", "env", "envFrom", "resources", "volumeMounts", "securityContext"] as const) {
    expect(own?.[key]).toEqual(theirs?.[key]);
  }
  for (const key of ["ports", "startupProbe", "readinessProbe", "livenessProbe", "lifecycle"] as const) {
    expect(own?.[key]).toBeUndefined();
  }
});
