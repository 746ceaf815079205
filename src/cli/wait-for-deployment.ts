import { setTimeout as sleep } from "node:timers/promises";
import type { DeploymentStatusView } from "../core/wire.ts";
import { AetherError } from "../lib/errors.ts";
import { type Client, isTransient } from "./client.ts";

/** Waits for the verdict on a deployment: returns it when it runs, throws `deployment_failed` with the cause and the log. */
export async function waitForDeployment(
  client: Client,
  id: string,
  signal: AbortSignal,
): Promise<DeploymentStatusView> {
  for (let delayMs = 20; ; delayMs = Math.min(500, delayMs * 1.3)) {
    const deployment = await client.deployment(id).catch((error: unknown) => {
      // The server may restart while it deploys; the deployment is in its database and goes on.
      if (isTransient(error) && delayMs < 500) return undefined;
      throw error;
    });
    if (deployment?.status === "running") return deployment;
    if (deployment !== undefined && deployment.status !== "pending") throw failed(deployment);
    await sleep(delayMs, undefined, { signal }).catch(() => {
      throw signal.reason;
    });
  }
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
      hint: `What ran before still runs. See aether logs ${app}.`,
      details,
    },
  );
}
