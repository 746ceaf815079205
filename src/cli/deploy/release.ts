import { type StageTimings, slowest } from "../../core/replica-stages.ts";
import type { DeploymentStatusView } from "../../core/wire.ts";
import { formatMs } from "../../lib/durations.ts";
import { type Client, isTransient } from "../client.ts";
import { eventHints } from "../event-hints.ts";
import { waitForDeployment } from "../wait-for-deployment.ts";
import { assertSignable } from "./assert-signable.ts";
import { assertUnlocked } from "./assert-unlocked.ts";
import type { DeployPlan, PackedProject } from "./pack-project.ts";
import type { ReleaseContext } from "./release-context.ts";
import { storeArtifact } from "./store-artifact.ts";
import { type MetApp, whileAppLives } from "./while-app-lives.ts";

/** Upload, deploy, wait for the verdict: everything that involves the server. What runs then, unless nobody waits. */
export async function release(
  packed: PackedProject,
  plan: DeployPlan,
  context: ReleaseContext,
): Promise<DeploymentStatusView | undefined> {
  await Promise.all([
    assertUnlocked(context.patient, packed.app),
    assertSignable(context.patient, { ...packed, signingKey: context.signingKey }),
  ]);
  const met: MetApp = { name: packed.app };
  return whileAppLives(context.client, met, async () => {
    await context.report.timed("upload", () => storeArtifact({ ...packed, met }, plan, context));
    return context.report.timed("start", () => deploy(packed, plan, context));
  });
}

async function deploy(
  packed: PackedProject,
  plan: DeployPlan,
  { client, patient, output, report, signal }: ReleaseContext,
): Promise<DeploymentStatusView | undefined> {
  const { app, digest, config, replicas, signature } = packed;
  const options = {
    ...(replicas === undefined ? {} : { replicas }),
    ...(signature === undefined ? {} : { signature }),
    ...(plan.rollbackOnFailure ? { rollback_on_failure: true } : {}),
    ...(plan.devHot ? { dev_hot: true } : {}),
  };
  const body = { app_name: app, digest, config, ...options };
  const made = () => patient.createDeployment(body, crypto.randomUUID());
  const { id, status, version } = await report.timed("create", made);
  report.set({ deployment_id: id, status, version });
  if (plan.detach) {
    report.set({ url: await addressOf(id, client) });
    output.done(`v${version} of ${app} is on its way; aether status ${app} shows it`);
    return undefined;
  }
  const since = performance.now();
  const hints = (ended: AbortSignal) => eventHints(client, app, ended);
  const running = await waitForDeployment({ client, id, app, signal, hints, warn: output.warn }).catch(
    (error: unknown) => {
      if (signal.aborted) output.warn(`v${version} of ${app} is released without you; aether status ${app} shows it`);
      throw error;
    },
  );
  const { url } = running;
  report.set({ status: running.status, url });
  report.note(slowest(timingsOf(running)));
  output.done(
    `v${version} of ${app} answers${url === null ? "" : ` at ${url}`} after ${formatMs(performance.now() - since)}`,
  );
  return running;
}

/** Of its replicas, those that have answered. */
function timingsOf({ version, replicas }: Pick<DeploymentStatusView, "version" | "replicas">): StageTimings[] {
  return replicas.flatMap((one) => (one.version === version && one.timings ? [one.timings] : []));
}

/** Where the release will answer; a server that went away meanwhile does not undo what it was told. */
async function addressOf(id: string, client: Client): Promise<string | null> {
  try {
    return (await client.deployment(id)).url;
  } catch (error) {
    if (isTransient(error)) return null;
    throw error;
  }
}
