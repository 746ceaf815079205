import { afterEach, expect, setSystemTime, spyOn, test } from "bun:test";
import type { V1Deployment } from "@kubernetes/client-node";
import type { AppRelease } from "../../../src/k8s/builders/app-release.ts";
import { deployment } from "../../../src/k8s/builders/deployment.ts";
import { currentBuilder, objects } from "../../../src/k8s/builders/objects.ts";
import { AetherError } from "../../../src/lib/errors.ts";
import { appRelease, fullRelease, hotRelease, longestAppName } from "../../harness/app-release.ts";

afterEach(() => void setSystemTime());

const hotBase = { base: { digest: "ab".repeat(32), deploymentId: "d", version: 1, downloadUrl: "http://aether/a" } };
const hotSettings = { fetchIntervalSec: 10, fetchMaxRetries: 3, drainSec: 5 };

const releases: [string, AppRelease][] = [
  ["the smallest release", appRelease()],
  ["a release with all there is", fullRelease()],
  ["two replicas with variables", appRelease({ replicas: 2, env: { values: { A: "1" }, nameKey: "k" } })],
  ["a release of another build's agent", appRelease({ agent: { hash: "ab".repeat(32) } })],
  ["a dev-hot release", hotRelease()],
  ["a dev-hot release with all there is", { ...fullRelease(), devHot: { ...hotBase, ...hotSettings } }],
  ["a host with the controller's certificate", appRelease({ ingress: { host: "shop.example.com", tls: {} } })],
];

// A row of builder 1 gets these objects for ever: what changes here rolls every application that runs.
test.each(releases)("builder 1 makes of %s what it always made", (_, release) => {
  const documents = objects(release).map((object) => Bun.YAML.stringify(JSON.parse(JSON.stringify(object)), null, 2));
  expect(`\n${documents.join("\n---\n")}\n`).toMatchSnapshot();
});

const surgeOf = (release: AppRelease) => strategyOf(objects(release)).rollingUpdate.maxSurge;
const strategyOf = (made: ReturnType<typeof objects>) =>
  (made.find(({ kind }) => kind === "Deployment") as { spec: { strategy: { rollingUpdate: Record<string, unknown> } } })
    .spec.strategy;

test.each(releases)("builder 2 makes of %s what builder 1 does, but for how many pods start at once", (_, release) => {
  const [before, now] = [objects(release), objects({ ...release, builder: 2 })];
  expect(now).not.toEqual(before);
  strategyOf(now).rollingUpdate.maxSurge = strategyOf(before).rollingUpdate.maxSurge;
  expect(now).toEqual(before);
});

test.each<[Partial<AppRelease>, number]>([
  [{ replicas: 0 }, 4],
  [{ replicas: 2 }, 4],
  [{ replicas: 17 }, 5],
  [{ replicas: undefined, autoscaler: { minReplicas: 40, maxReplicas: 90 } }, 10],
  [{ replicas: undefined }, 4],
])("a small application is rolled out at once, of a large one a quarter: %j, so many new pods: %d", (changes, most) => {
  expect(surgeOf(appRelease({ builder: 2, ...changes }))).toBe(most);
});

test.each(releases)("the same row gives the same objects at any time, in any order of its keys: %s", (_, release) => {
  const random = spyOn(Math, "random").mockImplementation(() => {
    throw new Error("chance has no say");
  });
  setSystemTime(new Date("2026-01-01"));
  const first = JSON.stringify(objects(frozen(release)));
  setSystemTime(new Date("2031-12-31"));
  const { values } = release.env;
  const turned = { ...release, env: { ...release.env, values: Object.fromEntries(Object.entries(values).reverse()) } };
  expect(JSON.stringify(objects(frozen(turned)))).toBe(first);
  random.mockRestore();
});

test("what changes from server to server is not in the objects: another build leaves the agent's ConfigMap to the first", () => {
  const mine = appRelease();
  const other = { ...mine, agent: { hash: mine.agent.hash } };
  expect(objects(other)).toEqual(objects(mine).filter(({ kind }) => kind !== "ConfigMap"));
});

test("an agent that is not the pinned one never gets its name", () => {
  const { hash } = appRelease().agent;
  expect(() => objects(appRelease({ agent: { hash, source: "another" } }))).toThrow("whose hash the release pins");
});

test("scaling changes the number only, and pods are left alone", () => {
  const [one, many] = [deployment(appRelease({ replicas: 1 })), deployment(appRelease({ replicas: 5 }))];
  expect(many.spec?.template).toEqual(one.spec?.template as never);
  expect({ ...many.spec, replicas: 1 }).toEqual(one.spec as never);
});

test("replicas are not said while an autoscaler owns them, nor 0 left out", () => {
  expect(deployment(appRelease({ replicas: undefined })).spec).not.toHaveProperty("replicas");
  expect(deployment(appRelease({ replicas: 0 })).spec?.replicas).toBe(0);
});

test.each<[string, Partial<AppRelease>, boolean]>([
  ["no replica", { replicas: 0 }, false],
  ["one", { replicas: 1 }, false],
  ["two", { replicas: 2 }, true],
  ["an autoscaler from one on", { replicas: undefined, autoscaler: { minReplicas: 1, maxReplicas: 9 } }, false],
  ["an autoscaler from two on", { replicas: undefined, autoscaler: { minReplicas: 2, maxReplicas: 9 } }, true],
  ["somebody's autoscaler", { replicas: undefined }, false],
])("a disruption budget for %s: %j is %p", (_, changes, wanted) => {
  expect(objects(appRelease(changes)).some(({ kind }) => kind === "PodDisruptionBudget")).toBe(wanted);
});

test("what a pod names comes before it", () => {
  const kinds = objects(fullRelease()).map(({ kind }) => kind);
  const before = kinds.slice(0, kinds.indexOf("Deployment"));
  expect(before).toEqual(["ServiceAccount", "ConfigMap", "ConfigMap", "Secret", "Service", "PodDisruptionBudget"]);
});

test("nothing is said that has no value: server-side apply would own it", () => {
  for (const [, release] of releases) {
    const made = objects(release);
    expect(made).toStrictEqual(JSON.parse(JSON.stringify(made)));
  }
});

test("a row of a newer builder is refused, with what to do", () => {
  const error = failure(() => objects(appRelease({ builder: currentBuilder + 1 })));
  expect(error).toMatchObject({ code: "service_unavailable", hint: expect.stringContaining("newer server") });
});

test.each([appRelease(), fullRelease()])("names, labels and annotations keep to the cluster's limits", (release) => {
  for (const { kind, metadata } of objects(release)) {
    const limit = kind === "Service" ? 63 : 253;
    expect(metadata?.name).toMatch(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);
    expect(metadata?.name?.length).toBeLessThanOrEqual(limit);
    expectLabels(metadata?.labels ?? {});
  }
  const { metadata, spec } = deployment(release);
  expectLabels(spec?.template.metadata?.labels ?? {});
  expect(JSON.stringify(metadata?.annotations).length).toBeLessThan(256 * 1024);
  expect(longestAppName).toHaveLength(50);
});

test("pods are selected by two labels, which every release carries, and which say nothing of it", () => {
  const { spec } = deployment(fullRelease());
  expect(spec?.selector.matchLabels).toEqual({ app: longestAppName, "aether.dev/process": "web" });
  expect(spec?.template.metadata?.labels).toMatchObject(spec?.selector.matchLabels ?? {});
});

test("only Deployment and pods change from release to release, beside what a hash names", () => {
  const next = { digest: "ab".repeat(32), version: 13, deploymentId: "7f0e3a52-7c0b-4b7e-9a2e-3d1c8f5b7a10" };
  const kept = (release: AppRelease) => objects(release).filter(({ kind }) => kind !== "Deployment");
  expect(kept({ ...fullRelease(), ...next })).toEqual(kept(fullRelease()));
});

test("the application cannot reach the agent's token, nor the cluster's", () => {
  const { template } = (deployment(fullRelease()) as Required<V1Deployment>).spec;
  const mounts = template.spec?.containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name));
  expect(mounts).toEqual(["workspace", "tmp"]);
  expect(template.spec?.automountServiceAccountToken).toBe(false);
});

test("the grace of an application begins after the drain", () => {
  expect(deployment(appRelease({ graceSeconds: 10 })).spec?.template.spec?.terminationGracePeriodSeconds).toBe(15);
});

const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

function expectLabels(labels: Record<string, string>): void {
  for (const value of Object.values(labels)) expect(value).toMatch(labelValue);
}

function failure(run: () => unknown): AetherError {
  try {
    run();
  } catch (error) {
    if (error instanceof AetherError) return error;
  }
  throw new Error("It did not fail as expected.");
}

function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  Object.values(value).forEach(frozen);
  return Object.freeze(value);
}
