import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { V1Deployment } from "@kubernetes/client-node";
import { objects } from "../../../src/k8s/builders/objects.ts";
import { driftOf } from "../../../src/runtime/kubernetes/drift.ts";
import { libcOf, nodeMajor, nodeProblem } from "../../../src/runtime/kubernetes/image.ts";
import { newPins, parsePins, toAppRelease } from "../../../src/runtime/kubernetes/pins.ts";
import { createWorker } from "../../../src/runtime/kubernetes/worker.ts";
import { waitFor } from "../../harness/wait-for.ts";

const agentOf = (source: string) => ({ source, hash: createHash("sha256").update(source).digest("hex") });
const settings = {
  namespace: "apps",
  runtimeImage: "aether-nodejs:{major}-slim",
  serviceType: "ClusterIP" as const,
  ingress: { domain: "apps.example.com", className: "nginx" },
  nodeSelector: { pool: "apps" },
  tolerations: [{ key: "spot", operator: "Exists" }],
  graceSeconds: 10,
  storageOrigins: ["https://s3.example.com"],
  agent: agentOf("// one"),
};
const release = {
  app: "shop",
  deploymentId: "d1",
  version: 3,
  digest: "ab".repeat(32),
  downloadUrl: "http://aether.svc/artifacts/x/download?app=shop",
  config: { start: "node server.js", port: 4000, node: "22.x" },
  replicas: 2,
  env: { COLOUR: "red" },
};

test("a server with another agent and other settings makes the same objects of a release", () => {
  const pins = JSON.parse(JSON.stringify(newPins(settings, release)));
  const upgraded = {
    ...settings,
    runtimeImage: "other:20",
    serviceType: "NodePort" as const,
    ingress: undefined,
    nodeSelector: undefined,
    tolerations: undefined,
    graceSeconds: 99,
    agent: agentOf("// two"),
  };
  const made = (of: typeof settings | typeof upgraded) => {
    const parsed = parsePins(pins);
    if (parsed === undefined) throw new Error("The pins cannot be read.");
    return objects(toAppRelease(release, { pins: parsed, settings: of, isKept: () => true }));
  };
  const withoutAgent = made(settings).filter(({ metadata }) => !metadata?.name?.startsWith("aether-agent-"));
  expect(made(upgraded)).toEqual(withoutAgent);
  const deployed = JSON.stringify(withoutAgent);
  for (const word of ["aether-nodejs:22-slim", "shop.apps.example.com", '"pool":"apps"', '"key":"spot"']) {
    expect(deployed).toContain(word);
  }
});

test("what aether.json asks of resources is what a replica gets", () => {
  const pins = newPins(settings, release);
  const resourcesOf = (resources: { cpu?: string; memory?: string }) => {
    const wanted = { ...release, config: { ...release.config, resources } };
    const made = objects(toAppRelease(wanted, { pins, settings, isKept: () => true }));
    const deployment = made.find((one): one is V1Deployment => one.kind === "Deployment");
    return deployment?.spec?.template.spec?.containers[0]?.resources;
  };
  expect(resourcesOf({ cpu: "250m", memory: "1Gi" })).toEqual({
    requests: { cpu: "250m", memory: "1Gi" },
    limits: { memory: "1Gi" },
  });
  expect(resourcesOf({ cpu: "2" })).toEqual({ requests: { cpu: "2", memory: "128Mi" }, limits: { memory: "512Mi" } });
});

test("a pinned agent that the cluster has no more is replaced by the server's own", () => {
  const pins = { ...newPins(settings, release), agent: "f".repeat(64) };
  const agent = (isKept: boolean) => toAppRelease(release, { pins, settings, isKept: () => isKept }).agent;
  expect(agent(true)).toEqual({ hash: "f".repeat(64) });
  expect(agent(false)).toEqual(settings.agent);
});

test("pins of another runtime are none", () => {
  expect(parsePins(null)).toBeUndefined();
  expect(parsePins({ port: 1 })).toBeUndefined();
});

test.each([
  ["aether-nodejs:{major}-slim", undefined, 20],
  ["aether-nodejs:{major}-slim", ">=18", 20],
  ["aether-nodejs:{major}-slim", "^22.1.0", 22],
  ["aether-nodejs:{major}-slim", "18.x", 18],
  ["node:20-slim", ">=22", 20],
  ["registry.example.com:5000/team/node:24.1-alpine", undefined, 24],
  ["registry.example.com:5000/app", undefined, 20],
])("in %s, who asks for %s gets Node %d", (image, wanted, major) => {
  expect(nodeMajor(image, wanted)).toBe(major);
});

test("a Node version that the image has not is named with what to change", () => {
  expect(nodeProblem("node:20-slim", ">=22")).toContain("AETHER_RUNTIME_IMAGE");
  expect(nodeProblem("node:20-slim", ">=18")).toBeUndefined();
  expect(nodeProblem("node:20-slim", "20.11.1")).toBeUndefined();
  expect(nodeProblem("our/runtime", ">=22")).toBeUndefined();
  expect(nodeProblem("aether-nodejs:{major}-slim", ">=99")).toContain(">=99");
});

test("native modules are checked against the image's C library", () => {
  expect([libcOf("node:20-alpine"), libcOf("node:20-slim")]).toEqual(["musl", "glibc"]);
});

const applied = [
  { kind: "Deployment", name: "shop", uid: "u1", generation: 3, resourceVersion: "100" },
  { kind: "Service", name: "shop", uid: "u2", generation: 0, resourceVersion: "50" },
];
const ours = { "aether.dev/deployment": "d1" };
const live = { name: "shop", uid: "u1", generation: 3, resourceVersion: "120", annotations: ours };

test.each([
  ["the controller's word on it", "Deployment", "changed", live, undefined],
  ["an edit", "Deployment", "changed", { ...live, generation: 4 }, "repair"],
  [
    "what was so before we applied",
    "Deployment",
    "changed",
    { ...live, generation: 4, resourceVersion: "99" },
    undefined,
  ],
  [
    "another release",
    "Deployment",
    "changed",
    { ...live, generation: 4, annotations: { "aether.dev/deployment": "d0" } },
    "foreign",
  ],
  ["its end", "Deployment", "deleted", live, "repair"],
  ["the end of one before it", "Deployment", "deleted", { ...live, uid: "u0" }, undefined],
  ["another one of its name", "Deployment", "changed", { ...live, uid: "u9" }, "repair"],
  ["a Service that somebody wrote", "Service", "changed", { name: "shop", uid: "u2", resourceVersion: "51" }, "repair"],
  ["a Service as we left it", "Service", "changed", { name: "shop", uid: "u2", resourceVersion: "50" }, undefined],
  ["somebody else's Service", "Service", "deleted", { name: "other", uid: "u3" }, undefined],
] as const)("%s is told from our own changes", (_, kind, type, metadata, drift) => {
  expect(driftOf({ kind, type, metadata }, { applied, deploymentId: "d1" })).toBe(drift);
});

test("work is done again when it was due meanwhile or failed, never twice at once, and no more after its end", async () => {
  const ended = new AbortController();
  const gate = Promise.withResolvers<void>();
  let running = 0;
  let most = 0;
  let done = 0;
  const worker = createWorker(async () => {
    running += 1;
    most = Math.max(most, running);
    await gate.promise;
    running -= 1;
    done += 1;
    if (done === 2) throw new Error("once");
  }, ended.signal);
  worker.wake();
  await waitFor("the first turn", () => worker.isBusy() && running === 1);
  for (let at = 0; at < 10; at += 1) worker.wake();
  gate.resolve();
  await waitFor("the turn that was due, and the one after its failure", () => done === 3 && !worker.isBusy());
  worker.wake(5);
  await waitFor("the later one", () => done === 4 && !worker.isBusy());
  expect(most).toBe(1);
  ended.abort();
  worker.wake();
  worker.wake(1);
  await worker.ended();
  expect(worker.isBusy()).toBe(false);
  expect(done).toBe(4);
});
