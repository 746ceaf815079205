import { AetherError } from "../lib/errors.ts";
import type { FilesystemStorage } from "./filesystem.ts";
import type { ArtifactStorage, SignedRequest } from "./storage.ts";

/** Sends a file of this machine where `signed` says, checked by the store as any upload is; one that is there is as good. */
export async function storeFile(storage: ArtifactStorage, signed: SignedRequest, path: string): Promise<void> {
  const request = new Request(signed.url, { ...signed, body: Bun.file(path) });
  const response = await send(storage, request).catch((error: unknown) => {
    throw new AetherError("service_unavailable", "The storage cannot be reached.", { cause: error });
  });
  if (response.ok || response.status === 412) return;
  throw new AetherError("service_unavailable", `The storage answered ${response.status}.`, {
    cause: new Error((await response.text()).slice(0, 500)), // for the log alone
    hint: "Tell whoever runs the server; the upload can be repeated at any time.",
  });
}

/** The embedded storage takes the request as it is: this server need not call itself. */
function send(storage: ArtifactStorage, request: Request): Promise<Response> {
  return isEmbedded(storage) ? storage.handle(request) : fetch(request);
}

const isEmbedded = (storage: ArtifactStorage): storage is FilesystemStorage => storage.kind === "filesystem";
