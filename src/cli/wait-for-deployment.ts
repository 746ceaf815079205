import { setTimeout as sleep } from "node:timers/promises";
import type { DeploymentStatusView } from "../core/wire.ts";
import { AetherError, messageOf } from "../lib/errors.ts";
import { type Client, isTransient } from "./client.ts";

export interface WaitOptions {
  client: Pick<Client, "deployment">;
  id: string;
  app: string;
  signal: AbortSignal;
  warn: (message: string) => void;
  /** Yields when it is worth to look at once; without, it is looked by the clock alone. */
  hints?: (signal: AbortSignal) => AsyncIterable<void>;
  /** How long the server may be away, or replicas take after the first one; a test passes less. */
  patienceMs?: number;
}

const firstDelayMs = 20;

/** Waits for the verdict on a deployment: returns it when all of it runs, throws `deployment_failed` with the cause and the log. */
export async function waitForDeployment(options: WaitOptions): Promise<DeploymentStatusView> {
  const ask = askPatiently(options);
  const isWhole = createCompletion(options);
  await using pause = createPause(options);
  let running: DeploymentStatusView | undefined;
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(500, delayMs * 1.3)) {
    const deployment = await ask();
    if (deployment?.status === "running") {
      if (running === undefined) delayMs = firstDelayMs; // the others are near, and no event tells of them
      running = deployment;
      if (isWhole(deployment)) return deployment;
    } else if (deployment !== undefined && deployment.status !== "pending") {
      if (running) return running; // it ran, and a newer one took its place
      throw failed(deployment);
    }
    await pause.atMost(delayMs);
  }
}

/** The first replica is the verdict, and the others follow: they are waited for, though not for ever. */
function createCompletion({ app, warn, patienceMs = 60_000 }: WaitOptions) {
  let since: number | undefined;
  return ({ version, wanted_replicas: wanted = 0, replicas = [] }: DeploymentStatusView): boolean => {
    const count = replicas.filter((one) => one.version === version && one.state === "running").length;
    if (count >= wanted) return true;
    since ??= performance.now();
    if (performance.now() - since < patienceMs) return false;
    warn(`${count} of ${wanted} replicas of v${version} answer so far; aether status ${app} shows the others.`);
    return true;
  };
}

/** Pauses that a hint cuts short; one that comes between two pauses cuts the next. */
function createPause({ signal, hints }: WaitOptions) {
  const listening = new AbortController();
  let hint = Promise.withResolvers<void>();
  const listen = async () => {
    for await (const _ of hints?.(listening.signal) ?? []) hint.resolve();
  };
  const listened = listen();
  return {
    async atMost(ms: number): Promise<void> {
      const over = new AbortController();
      const clock = sleep(ms, undefined, { signal: AbortSignal.any([signal, over.signal]) }).catch(() => {});
      await Promise.race([clock, hint.promise]);
      over.abort();
      if (signal.aborted) throw signal.reason;
      hint = Promise.withResolvers();
    },
    async [Symbol.asyncDispose]() {
      listening.abort();
      await listened;
    },
  };
}

/** Answers undefined while the server is away: it may restart while it deploys, and goes on from its database. */
function askPatiently({ client, id, app, warn, patienceMs = 60_000 }: WaitOptions) {
  let awaySince: number | undefined;
  return async (): Promise<DeploymentStatusView | undefined> => {
    const asked = performance.now();
    try {
      const deployment = await client.deployment(id);
      awaySince = undefined;
      return deployment;
    } catch (error) {
      if (!isTransient(error)) throw error;
      if (awaySince === undefined) warn(`${messageOf(error)} The release is recorded there; waiting for the server.`);
      awaySince ??= asked;
      if (performance.now() - awaySince >= patienceMs) throw stillAway(error, app);
      return undefined;
    }
  };
}

function stillAway(error: unknown, app: string): AetherError {
  return new AetherError("unreachable", `${messageOf(error)} The release is recorded there and goes on.`, {
    cause: error,
    hint: `See what became of it with aether status ${app}.`,
  });
}

function failed(deployment: DeploymentStatusView): AetherError {
  const { app, version, status, failure_reason, failure_message, failure_log } = deployment;
  const details = { failure_reason, failure_message, failure_log, status, version, deployment_id: deployment.id };
  if (status !== "failed") {
    return new AetherError("deployment_failed", `v${version} of ${app} was ${status} before it ran.`, {
      hint: "A newer deployment took its place.",
      details,
    });
  }
  const log = (failure_log ?? []).map((line) => `\n  | ${line}`).join("");
  return new AetherError(
    "deployment_failed",
    `v${version} of ${app} does not run (${failure_reason}): ${failure_message}${log}`,
    {
      hint: `See aether logs ${app}. A release that ran before goes on running.`,
      details,
    },
  );
}
