import { join } from "node:path";
import { AetherError, asDiskError, isDiskFull, systemCode } from "../lib/errors.ts";
import { createStorageRoutes } from "./filesystem-routes.ts";
import { createMultipartFiles, type MultipartFiles } from "./multipart-files.ts";
import { createObjectFiles, type ObjectFiles } from "./object-files.ts";
import { receiveFile } from "./receive-file.ts";
import { relieveDisk } from "./relieve-disk.ts";
import { signPath } from "./signed-url.ts";
import { type ArtifactStorage, type Audience, digestOfKey, type SignedRequest, type UploadedPart } from "./storage.ts";
import { sweepFolder } from "./sweep-folder.ts";
import { createUploadGrants, type UploadGrants } from "./upload-grants.ts";

export interface FilesystemStorageOptions {
  folder: string;
  /** 32 bytes that sign the URLs; the same on every server that shares the folder. */
  secret: Uint8Array;
  /** Where laptops reach `handle`. */
  publicUrl: string;
  /** Where pods reach `handle`. */
  internalUrl: string;
  now: () => Date;
  /** What one PUT without a signed length, one part, or the parts together may hold. */
  maxObjectBytes?: number;
  /** Told of what `handle` answers with 5xx, for the log: its causes name the path, which the answer does not. */
  onError?: (error: unknown) => void;
}

/** Ages in milliseconds after which `sweep` takes what no one finished. */
export interface SweepAges {
  temporaryMs: number;
  multipartMs: number;
}

export interface FilesystemStorage extends ArtifactStorage {
  readonly kind: "filesystem";
  /** Answers every request whose path holds `/storage/`. */
  handle(request: Request): Promise<Response>;
  /** Removes what killed uploads left behind. */
  sweep(ages: SweepAges): Promise<void>;
}

/** The parts of the storage that its functions share. */
export interface StorageFiles {
  folder: string;
  objects: ObjectFiles;
  multipart: MultipartFiles;
  grants: UploadGrants;
  /** Where uploads are written until they are whole; on the same file system as the objects. */
  incoming: string;
  maxObjectBytes: number;
  now: () => Date;
  onError: (error: unknown) => void;
}

const fiveGibibytes = 5 * 2 ** 30; // what S3 takes in one PUT

/** Artifacts in a folder of this machine, sent and fetched by signed URLs as with S3. */
export function createFilesystemStorage(options: FilesystemStorageOptions): FilesystemStorage {
  const { folder, secret, now } = options;
  const files: StorageFiles = {
    folder,
    objects: createObjectFiles(folder),
    multipart: createMultipartFiles(folder),
    grants: createUploadGrants(folder),
    incoming: join(folder, "incoming"),
    maxObjectBytes: options.maxObjectBytes ?? fiveGibibytes,
    now,
    onError: options.onError ?? (() => {}),
  };
  const { objects, multipart, grants, incoming } = files;
  const expiry = (seconds: number): number => Math.floor(now().getTime() / 1000) + seconds;
  const urlFor = (audience: Audience, terms: Parameters<typeof signPath>[1]): string =>
    (audience === "client" ? options.publicUrl : options.internalUrl).replace(/\/+$/, "") + signPath(secret, terms);

  async function remove(key: string): Promise<void> {
    await grants.end(key); // first: an upload that ends now sees it gone and takes its object back
    await objects.remove(key);
  }

  return {
    kind: "filesystem",
    handle: createStorageRoutes(files, secret),

    check: () => usable(files, objects.check()),

    checkSettings: async () => {},
    refusesOtherBytes: () => true,

    async presignPut({ key, digest, sizeBytes, expiresSeconds, audience = "client" }) {
      objects.pathOf(key);
      const expires = expiry(expiresSeconds);
      const grant = await usable(files, grants.give(key, new Date(expires * 1000)));
      const size: Record<string, string> = sizeBytes === undefined ? {} : { size: String(sizeBytes) };
      return {
        url: urlFor(audience, { method: "PUT", key, expires, terms: { digest, grant, ...size } }),
        method: "PUT",
        headers: {
          "x-amz-checksum-sha256": Buffer.from(digest, "hex").toString("base64"),
          "if-none-match": "*",
          ...(sizeBytes === undefined ? {} : { "content-length": String(sizeBytes) }),
        },
      };
    },

    async presignGet(key, { expiresSeconds, audience }): Promise<SignedRequest> {
      objects.pathOf(key);
      const url = urlFor(audience, { method: "GET", key, expires: expiry(expiresSeconds), terms: {} });
      return { url, method: "GET", headers: {} };
    },

    head: (key) => objects.head(key),

    async read(key) {
      if (await objects.head(key)) return Bun.file(objects.pathOf(key)).stream();
      throw new AetherError("not_found", `The artifact storage holds no ${key}.`);
    },

    remove,
    abandon: remove, // its URLs name a grant that is gone, also after a later one is given

    list: (prefix, { after } = {}) => objects.list(prefix, after),

    startMultipart: (key) => {
      objects.pathOf(key);
      return usable(files, multipart.start(key));
    },

    async presignPart({ key, uploadId, partNumber, sizeBytes, maxBytes, expiresSeconds }) {
      if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > 10_000) {
        throw new AetherError("bad_request", "A part number is a whole number from 1 to 10000.");
      }
      await multipart.open(key, uploadId);
      const terms = {
        upload: uploadId,
        part: String(partNumber),
        ...(sizeBytes === undefined ? {} : { size: String(sizeBytes) }),
        ...(maxBytes === undefined ? {} : { max: String(maxBytes) }),
      };
      const url = urlFor("client", { method: "PUT", key, expires: expiry(expiresSeconds), terms });
      return { url, method: "PUT", headers: sizeBytes === undefined ? {} : { "content-length": String(sizeBytes) } };
    },

    listParts: (key, uploadId) => multipart.list(key, uploadId),

    completeMultipart: (key, uploadId, parts) => joinParts(files, { key, uploadId, parts }),

    async abortMultipart(key, uploadId) {
      const owned = await multipart.open(key, uploadId).catch((error) => {
        if (error instanceof AetherError) return undefined; // ended before
        throw error;
      });
      if (owned !== undefined) await multipart.end(uploadId);
    },

    listMultiparts: (prefix) => multipart.unfinished(prefix),

    async sweep({ temporaryMs, multipartMs }) {
      await sweepFolder(incoming, new Date(now().getTime() - temporaryMs));
      await multipart.sweep(now(), multipartMs);
      await grants.sweep(now());
    },
  };
}

async function joinParts(
  files: StorageFiles,
  { key, uploadId, parts }: { key: string; uploadId: string; parts: UploadedPart[] },
): Promise<void> {
  const { objects, multipart, incoming, maxObjectBytes } = files;
  const paths = await multipart.pathsOf(key, uploadId, parts);
  if (await objects.head(key)) throw storedAlready();
  const receiving = receiveFile(contentsOf(paths), { folder: incoming, maxBytes: maxObjectBytes });
  await using joined = await usable(files, receiving);
  if (joined.digest !== digestOfKey(key)) {
    await multipart.end(uploadId); // its parts can never become this artifact
    throw new AetherError("digest_mismatch", `The joined parts hash to ${joined.digest}, not to what was announced.`, {
      hint: "The parts were removed; upload the artifact again.",
    });
  }
  if (!(await usable(files, objects.add(joined.path, key)))) throw storedAlready();
  await multipart.end(uploadId);
}

const storedAlready = (): AetherError =>
  new AetherError("conflict", "The artifact is stored already.", { hint: "Go on to complete." });

async function* contentsOf(paths: string[]): AsyncGenerator<Uint8Array> {
  for (const path of paths) yield* Bun.file(path).stream();
}

/** Disk trouble of the server is `service_unavailable` to its clients; the cause names the path. */
async function usable<T>(files: StorageFiles, promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    const disk = asDiskError(error, "write to", files.folder);
    if (disk === error) throw error;
    await relieveDisk(files, error);
    // Clients learn what is wrong, not where the server keeps its files.
    const why = isDiskFull(error) ? "the server has no space left" : `the server's disk reported ${systemCode(error)}`;
    throw new AetherError("service_unavailable", `The artifact cannot be stored: ${why}.`, {
      cause: disk,
      hint: "Tell whoever runs the server; the upload can be repeated at any time.",
    });
  }
}
