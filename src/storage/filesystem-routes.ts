import { AetherError, asDiskError } from "../lib/errors.ts";
import type { StorageFiles } from "./filesystem.ts";
import { isObjectKey } from "./object-key.ts";
import { receiveFile, tooLong } from "./receive-file.ts";
import { relieveDisk } from "./relieve-disk.ts";
import { serveFile } from "./serve-file.ts";
import { type SignedTerms, verifyPath } from "./signed-url.ts";

/** The requests that signed URLs allow: PUT of an object or a part, GET and HEAD of an object. */
export function createStorageRoutes(files: StorageFiles, secret: Uint8Array): (request: Request) => Promise<Response> {
  return async (request) => {
    try {
      const signed = verify(request, { secret, now: files.now });
      if (signed.method === "GET") return await serveFile(request, files.objects, signed.key);
      return signed.terms.upload === undefined
        ? await putObject(request, files, signed)
        : await putPart(request, files, signed);
    } catch (error) {
      await relieveDisk(files, error);
      const known = asUploadError(error, request, files.incoming);
      if (!(known instanceof AetherError) || known.status >= 500) files.onError(known);
      if (!(known instanceof AetherError)) throw known;
      return refusal(known);
    }
  };
}

function verify(request: Request, { secret, now }: { secret: Uint8Array; now: () => Date }): SignedTerms {
  const method = request.method === "HEAD" ? "GET" : request.method; // who may read may ask for the size
  const signed = method === "GET" || method === "PUT" ? verifyPath(secret, method, new URL(request.url)) : undefined;
  if (signed === undefined || !isObjectKey(signed.key)) {
    throw new AetherError("forbidden", "The signature of this URL is not right for this request.", {
      hint: "Use the URL exactly as it was given, with the method and headers that came with it.",
    });
  }
  if (!(signed.expires * 1000 > now().getTime())) {
    throw new AetherError("forbidden", "This URL has expired.", { hint: "Ask for a new one." });
  }
  return signed;
}

/** The order matters: the object appears, then the grant is asked again. `remove` does the reverse, so one of both sees the other. */
async function putObject(request: Request, files: StorageFiles, { key, terms }: SignedTerms): Promise<Response> {
  const { objects, grants, incoming } = files;
  const { digest = "", grant = "" } = terms;
  demandHeader(request, "x-amz-checksum-sha256", Buffer.from(digest, "hex").toString("base64"));
  demandHeader(request, "if-none-match", "*");
  if (terms.size !== undefined) demandHeader(request, "content-length", terms.size);
  if (await objects.head(key)) return alreadyStored();
  if (!(await grants.holds(key, grant))) throw abandoned();

  const maxBytes = terms.size === undefined ? files.maxObjectBytes : Number(terms.size);
  await using received = await receiveFile(bodyOf(request), { folder: incoming, maxBytes });
  if (terms.size !== undefined && received.sizeBytes !== maxBytes) {
    throw new AetherError("size_mismatch", `The upload ended after ${received.sizeBytes} of ${maxBytes} bytes.`);
  }
  if (received.digest !== digest) {
    throw new AetherError("digest_mismatch", `The bytes hash to ${received.digest}, not to ${digest}.`, {
      hint: "The file changed on its way or since it was signed: pack and upload it again.",
    });
  }
  if (!(await objects.add(received.path, key))) return alreadyStored();
  if (!(await grants.holds(key, grant))) {
    await objects.remove(key);
    throw abandoned();
  }
  await grants.end(key);
  return stored(digest);
}

async function putPart(request: Request, files: StorageFiles, { key, terms }: SignedTerms): Promise<Response> {
  const { upload: uploadId = "", part = "", size, max = files.maxObjectBytes } = terms;
  if (size !== undefined) demandHeader(request, "content-length", size);
  await files.multipart.open(key, uploadId);
  const length = request.headers.get("content-length");
  const maxBytes = Math.min(Number(size ?? max), files.maxObjectBytes);
  if (Number(length) > maxBytes) throw tooLong(maxBytes);
  await using received = await receiveFile(bodyOf(request), { folder: files.incoming, maxBytes });
  if (length !== null && received.sizeBytes !== Number(length)) {
    throw new AetherError("size_mismatch", `The part ended after ${received.sizeBytes} of ${length} bytes.`);
  }
  await files.multipart.add(received.path, { key, uploadId, partNumber: Number(part), etag: received.digest });
  return stored(received.digest);
}

const bodyOf = (request: Request): AsyncIterable<Uint8Array> => request.body ?? new Blob([]).stream();

/** A signed header that is missing is a client's mistake; one with another value is another request. */
function demandHeader(request: Request, name: string, value: string): void {
  const given = request.headers.get(name);
  if (given === value) return;
  if (given === null) {
    throw new AetherError("bad_request", `The header ${name} is missing.`, {
      hint: "Send every header that came with the upload URL, with its exact value.",
    });
  }
  throw new AetherError("forbidden", `The header ${name} differs from the one that was signed.`);
}

const stored = (digest: string): Response => new Response(null, { headers: { etag: `"${digest}"` } });

const abandoned = (): AetherError =>
  new AetherError("forbidden", "This upload was abandoned or finished.", { hint: "Ask for a new upload URL." });

const alreadyStored = (): Response =>
  refusal(new AetherError("conflict", "These bytes are stored already.", { hint: "Go on to complete." }), 412);

const refusal = (error: AetherError, status = error.status): Response => Response.json(error.toJSON(), { status });

/** What can go wrong below: the server's disk is full, or the client went away. */
function asUploadError(error: unknown, request: Request, folder: string): unknown {
  const disk = asDiskError(error, "store", "an upload");
  if (disk instanceof AetherError && disk !== error) {
    return new AetherError("service_unavailable", `The server could not store this upload. ${disk.message}`, {
      cause: asDiskError(error, "store an upload in", folder), // the path is for the log alone
      hint: "Nothing was kept. Try again when the server's disk has space.",
    });
  }
  if (!(error instanceof AetherError) && request.signal.aborted) {
    return new AetherError("bad_request", "The upload was cut off.", { cause: error });
  }
  return error;
}
