import { formatBytes } from "../../lib/bytes.ts";
import { formatMs } from "../../lib/durations.ts";
import { messageOf } from "../../lib/errors.ts";
import { type Client, isTransient } from "../client.ts";
import { eventHints } from "../event-hints.ts";
import { upload, uploadThroughServer } from "../upload.ts";
import { waitForDeployment } from "../wait-for-deployment.ts";
import type { DeployContext, DeployPlan, PackedProject } from "./pack-project.ts";

export interface ReleaseContext extends DeployContext {
  /** Rides out a server that restarts: by now there is work to lose. */
  patient: Client;
}

/** Upload, deploy, wait for the verdict: everything that involves the server. */
export async function release(packed: PackedProject, plan: DeployPlan, context: ReleaseContext): Promise<void> {
  await context.report.timed("upload", () => send(packed, plan, context));
  await context.report.timed("start", () => deploy(packed, plan, context));
}

async function send(
  packed: PackedProject,
  plan: DeployPlan,
  { patient, output, report, signal }: ReleaseContext,
): Promise<void> {
  const way = plan.legacyUpload ? uploadThroughServer : upload;
  const { uploadedBytes, reusedBytes } = await way({
    client: patient,
    app: packed.app,
    artifact: packed,
    signal,
    onProgress: (sent) => output.progress("Uploading", sent, packed.sizeBytes),
    onRetry: (error) => output.warn(`${messageOf(error)} Trying again.`),
  });
  report.set({ uploaded_bytes: uploadedBytes, reused_bytes: reusedBytes });
  if (uploadedBytes === 0) output.done("Nothing to upload: the server has these bytes");
  else output.done(`Uploaded ${formatBytes(uploadedBytes)}`);
}

async function deploy(
  packed: PackedProject,
  plan: DeployPlan,
  { client, patient, output, report, signal }: ReleaseContext,
): Promise<void> {
  const { app, digest, config, replicas } = packed;
  const body = { app_name: app, digest, config, ...(replicas === undefined ? {} : { replicas }) };
  const { id, status, version } = await patient.createDeployment(body, crypto.randomUUID());
  report.set({ deployment_id: id, status, version });
  if (plan.detach) {
    report.set({ url: await addressOf(id, client) });
    return output.done(`v${version} of ${app} is on its way; aether status ${app} shows it`);
  }
  const since = performance.now();
  const hints = (ended: AbortSignal) => eventHints(client, app, ended);
  const { url, ...running } = await waitForDeployment({ client, id, app, signal, hints, warn: output.warn }).catch(
    (error: unknown) => {
      if (signal.aborted) output.warn(`v${version} of ${app} is released without you; aether status ${app} shows it`);
      throw error;
    },
  );
  report.set({ status: running.status, url });
  output.done(
    `v${version} of ${app} answers${url === null ? "" : ` at ${url}`} after ${formatMs(performance.now() - since)}`,
  );
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
