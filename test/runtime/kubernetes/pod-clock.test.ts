import { expect, test } from "bun:test";
import { formatPodReport } from "../../../src/core/pod-report.ts";
import { createPodClock } from "../../../src/runtime/kubernetes/pod-clock.ts";
import type { Pod } from "../../../src/runtime/kubernetes/world.ts";

const digest = "ab".repeat(32);
const report = formatPodReport({ digest, fetchMs: 200, unpackMs: 300 });

/** A pod that has come so far. */
function pod(step: "created" | "scheduled" | "fetched" | "ready", message = report): Pod {
  const hasReached = (one: typeof step) => order.indexOf(one) <= order.indexOf(step);
  const condition = (type: string) => ({ type, status: "True" });
  const status = (name: string) => ({ name, image: "", imageID: "", ready: true, restartCount: 0 });
  return {
    metadata: { uid: "1", name: "shop-1", annotations: { "aether.dev/digest": digest } },
    status: {
      conditions: [
        ...(hasReached("scheduled") ? [condition("PodScheduled")] : []),
        ...(hasReached("ready") ? [condition("Ready")] : []),
      ],
      ...(hasReached("fetched") && {
        initContainerStatuses: [{ ...status("fetch"), state: { terminated: { exitCode: 0, message } } }],
      }),
    },
  };
}

const order = ["created", "scheduled", "fetched", "ready"];

/** A clock that was shown these steps of one pod at those times. */
function shown(steps: [at: number, seen: Pod][]) {
  let now = 0;
  const clock = createPodClock(() => now);
  for (const [at, seen] of steps) {
    now = at;
    clock.see(seen);
  }
  return clock;
}

test("each stage of a pod lasts from what the watch showed to the next, and what its agent measured is taken from between", () => {
  const clock = shown([
    [1_000, pod("created")],
    [1_010, pod("scheduled")],
    [1_020, pod("scheduled")],
    [3_010, pod("fetched")],
    [3_500, pod("ready")],
    [9_000, pod("ready")],
  ]);
  expect(clock.stages(pod("ready"))).toEqual({ schedule: 10, boot: 1_500, fetch: 200, unpack: 300, ready: 490 });
});

test("a pod that has not answered yet has no stages, and one that was ready once keeps them", () => {
  const clock = shown([
    [0, pod("created")],
    [1, pod("scheduled")],
    [2_000, pod("fetched")],
  ]);
  expect(clock.stages(pod("fetched"))).toBeUndefined();
  clock.see(pod("ready"));
  expect(clock.stages(pod("fetched"))).toMatchObject({ schedule: 1, fetch: 200 });
});

test("of a pod whose beginning nobody saw, only its agent's own figures are told", () => {
  const late = shown([
    [5, pod("scheduled")],
    [6, pod("fetched")],
    [7, pod("ready")],
  ]);
  expect(late.stages(pod("ready"))).toEqual({ fetch: 200, unpack: 300 });
  expect(createPodClock().stages(pod("ready"))).toEqual({ fetch: 200, unpack: 300 });
});

test("an agent that says nothing, or of another release, or nonsense, adds nothing", () => {
  const messages = ["", "no json", "null", "[]", report.replaceAll("ab", "cd"), report.replace("200", '"200"')];
  for (const message of messages) expect(createPodClock().stages(pod("ready", message))).toEqual({});
  const reused = formatPodReport({ digest, fetchMs: 3 });
  expect(createPodClock().stages(pod("ready", reused))).toEqual({ fetch: 3 });
});

test("a pod that is gone is forgotten", () => {
  const clock = shown(order.map((step, at) => [at, pod(step as "created")]));
  clock.forget(pod("ready"));
  expect(clock.stages(pod("ready"))).toEqual({ fetch: 200, unpack: 300 });
});
