import { formatBytes } from "../../lib/bytes.ts";
import { messageOf } from "../../lib/errors.ts";
import { uploadThroughServer } from "../upload/form-upload.ts";
import { upload } from "../upload/upload.ts";
import type { DeployPlan, PackedProject } from "./pack-project.ts";
import type { ReleaseContext } from "./release-context.ts";
import type { MetApp } from "./while-app-lives.ts";

/** Uploads what the server does not have of an artifact, and tells how it went. */
export async function storeArtifact(
  packed: PackedProject & { met: MetApp },
  plan: DeployPlan,
  { patient, output, report, signal }: ReleaseContext,
): Promise<void> {
  const way = plan.legacyUpload ? uploadThroughServer : upload;
  const { uploadedBytes, reusedBytes, note } = await way({
    client: patient,
    app: packed.app,
    met: packed.met,
    artifact: packed,
    signal,
    onProgress: (done) => output.progress("Uploading", done, packed.sizeBytes),
    onRetry: (error) => output.warn(`${messageOf(error)} Trying again.`),
    onBusy: once((error) => output.step(`${messageOf(error)} Waiting for a turn.`)),
    onFallback: ({ message }) => output.warn(`${message} Sending the artifact through the server instead.`),
  });
  report.set({ uploaded_bytes: uploadedBytes, reused_bytes: reusedBytes, ...(note === undefined ? {} : { note }) });
  output.done(told(uploadedBytes, reusedBytes));
}

function told(uploadedBytes: number, reusedBytes: number): string {
  if (uploadedBytes === 0) return "Nothing to upload: the server has these bytes";
  const resumed = reusedBytes === 0 ? "" : `; ${formatBytes(reusedBytes)} were there from an upload before`;
  return `Uploaded ${formatBytes(uploadedBytes)}${resumed}`;
}

function once<T>(tell: (value: T) => void): (value: T) => void {
  let told = false;
  return (value) => {
    if (!told) tell(value);
    told = true;
  };
}
