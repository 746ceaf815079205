import { expect, test } from "bun:test";
import { waitForDeployment } from "../../src/cli/wait-for-deployment.ts";
import type { DeploymentStatusView } from "../../src/core/wire.ts";
import { AetherError } from "../../src/lib/errors.ts";
import { failureOf } from "../harness/failure-of.ts";

const signal = new AbortController().signal;
const away = () => new AetherError("unreachable", "The server http://x cannot be reached.");
const starting = () => new AetherError("service_unavailable", "The server is starting.");

/** A server that answers these, one a call; the last one again and again. */
function answering(...answers: (Partial<DeploymentStatusView> | (() => AetherError))[]) {
  let next = 0;
  async function deployment(): Promise<DeploymentStatusView> {
    const answer = answers[Math.min(next, answers.length - 1)];
    next += 1;
    if (typeof answer === "function") throw answer();
    return answer as DeploymentStatusView;
  }
  return { deployment };
}

test("a server that restarts while it deploys is waited for, and told of once", async () => {
  const warnings: string[] = [];
  const absence = Array.from({ length: 14 }, () => away);
  const client = answering({ status: "pending" }, ...absence, starting, { status: "pending" }, { status: "running" });
  const warn = (message: string) => void warnings.push(message);
  const deployment = await waitForDeployment({ client, id: "d", app: "shop", signal, warn });
  expect(deployment.status).toBe("running");
  expect(warnings).toEqual([expect.stringContaining("waiting for the server")]);
});

test("when the server stays away, the release is said to go on", async () => {
  const options = { client: answering(away), id: "d", app: "shop", signal, warn: () => {}, patienceMs: 30 };
  const error = await failureOf(waitForDeployment(options));
  expect(error).toMatchObject({ code: "unreachable", exitCode: 40, message: expect.stringContaining("is recorded") });
  expect(error.hint).toContain("aether status shop");
});

test("a hint is followed at once, and its end changes nothing", async () => {
  let asked = 0;
  const client = {
    deployment: async () => ({ status: ++asked > 60 ? "running" : "pending" }) as DeploymentStatusView,
  };
  let ended: AbortSignal | undefined;
  // By the clock alone, 60 looks take half a minute: this test would run out of time.
  async function* hints(signal: AbortSignal): AsyncGenerator<void, void> {
    ended = signal;
    for (let at = 0; at < 1_000 && !signal.aborted; at += 1) {
      yield;
      await Bun.sleep(1);
    }
  }
  expect((await waitForDeployment({ client, id: "d", app: "shop", signal, warn: () => {}, hints })).status).toBe(
    "running",
  );
  expect(ended?.aborted).toBe(true);
  const silent = answering({ status: "pending" }, { status: "running" });
  async function* nothing(): AsyncGenerator<void, void> {}
  const waited = waitForDeployment({ client: silent, id: "d", app: "shop", signal, warn: () => {}, hints: nothing });
  expect((await waited).status).toBe("running");
});

const replica = (version: number, state: string) => ({ version, state }) as DeploymentStatusView["replicas"][number];

test("all replicas are waited for, and those of another version do not count", async () => {
  const running = { status: "running", version: 2, wanted_replicas: 2 } as const;
  const old = replica(1, "running");
  const whole = { ...running, replicas: [replica(2, "running"), replica(2, "running"), old] };
  const client = answering(
    { ...running, replicas: [old] },
    { ...running, replicas: [replica(2, "running"), replica(2, "starting"), old] },
    whole,
  );
  const deployment = await waitForDeployment({ client, id: "d", app: "shop", signal, warn: () => {} });
  expect(deployment).toEqual(whole as DeploymentStatusView);
});

test("replicas that do not come are told of, and the release runs all the same", async () => {
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  const client = answering({ status: "running", version: 2, wanted_replicas: 2, replicas: [replica(2, "running")] });
  const deployment = await waitForDeployment({ client, id: "d", app: "shop", signal, warn, patienceMs: 30 });
  expect(deployment.status).toBe("running");
  expect(warnings).toEqual(["1 of 2 replicas of v2 answer so far; aether status shop shows the others."]);
});

test("a release that ran and was replaced while its replicas came has run", async () => {
  const running = { status: "running", version: 2, wanted_replicas: 2, replicas: [] } as const;
  const client = answering({ ...running, replicas: [] }, { ...running, replicas: [], status: "superseded" });
  const deployment = await waitForDeployment({ client, id: "d", app: "shop", signal, warn: () => {} });
  expect(deployment.status).toBe("running");
});
