import { formatBytes } from "../../lib/bytes.ts";
import { formatMs } from "../../lib/durations.ts";
import { messageOf } from "../../lib/errors.ts";
import { upload, uploadThroughServer } from "../upload.ts";
import { waitForDeployment } from "../wait-for-deployment.ts";
import type { DeployContext, DeployPlan, PackedProject } from "./pack-project.ts";

/** Upload, deploy, wait for the verdict: everything that involves the server. */
export async function release(packed: PackedProject, plan: DeployPlan, context: DeployContext): Promise<void> {
  await context.report.timed("upload", () => send(packed, plan, context));
  await context.report.timed("start", () => deploy(packed, plan, context));
}

async function send(
  packed: PackedProject,
  plan: DeployPlan,
  { client, output, report, signal }: DeployContext,
): Promise<void> {
  const way = plan.legacyUpload ? uploadThroughServer : upload;
  const { uploadedBytes, reusedBytes } = await way({
    client,
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
  { client, output, report, signal }: DeployContext,
): Promise<void> {
  const { app, digest, config, replicas } = packed;
  const body = { app_name: app, digest, config, ...(replicas === undefined ? {} : { replicas }) };
  const { id, status, version } = await client.createDeployment(body, crypto.randomUUID());
  report.set({ deployment_id: id, status, version });
  if (plan.detach) return output.done(`v${version} of ${app} is on its way; aether status ${app} shows it`);
  const since = performance.now();
  const { url, ...running } = await waitForDeployment(client, id, signal);
  report.set({ status: running.status, url });
  output.done(
    `v${version} of ${app} answers${url === null ? "" : ` at ${url}`} after ${formatMs(performance.now() - since)}`,
  );
}
