import { AetherError } from "../../lib/errors.ts";
import type { ArtifactStorage, StoredObject } from "../storage.ts";
import { S3Failure } from "./s3-failure.ts";
import { createS3Multipart } from "./s3-multipart.ts";
import type { S3StorageOptions } from "./s3-options.ts";
import { probeStore, type S3Probe } from "./s3-probe.ts";
import { readObject } from "./s3-read.ts";
import { createS3Requests } from "./s3-requests.ts";
import { createSettingsCheck } from "./s3-settings-check.ts";
import { objectList } from "./s3-xml.ts";

export interface S3Storage extends ArtifactStorage {
  readonly kind: "s3";
  /** Tries once what the store refuses; `refusesOtherBytes` follows it. */
  probe(): Promise<S3Probe>;
}

/** Artifacts in a bucket of S3 or of a store that speaks its language, by path style. */
export function createS3Storage(options: S3StorageOptions): S3Storage {
  const requests = createS3Requests(options);
  const encryption = encryptionHeaders(options);
  const paged = (name: string): Record<string, string> =>
    options.pageSize === undefined ? {} : { [name]: String(options.pageSize) };
  let probed: S3Probe | undefined;

  async function head(key: string): Promise<StoredObject | undefined> {
    try {
      const headers = await requests.send({
        method: "HEAD",
        key,
        headers: { "x-amz-checksum-mode": "ENABLED" },
      });
      const sizeBytes = Number(headers.get("content-length"));
      if (sizeBytes === 0) return undefined; // the mark of an abandoned upload
      const modifiedAt = new Date(headers.get("last-modified") ?? 0);
      return { key, sizeBytes, modifiedAt, checksum: checksumOf(headers) };
    } catch (error) {
      if (!(error instanceof S3Failure) || error.isTransient) throw error;
      await check(); // HEAD has no body: this one tells when it is the bucket or the credentials
      if (error.httpStatus === 404) return undefined;
      throw error;
    }
  }

  /** Not tried again: who asks wants to know how it is now. */
  async function check(): Promise<void> {
    const query = { "list-type": "2", "max-keys": "1" };
    await requests.ask({ method: "GET", query, attempts: 1 }, objectList);
  }

  const storage: S3Storage = {
    kind: "s3",
    check,
    checkSettings: createSettingsCheck(check),
    refusesOtherBytes: () => probed?.refusesOtherBytes ?? false,

    async probe() {
      probed = await probeStore(storage, options.signal);
      return probed;
    },

    presignPut: ({ key, digest, sizeBytes, expiresSeconds, audience = "client" }) => {
      const headers = {
        "x-amz-checksum-sha256": Buffer.from(digest, "hex").toString("base64"),
        "if-none-match": "*",
        ...(sizeBytes === undefined ? {} : { "content-length": String(sizeBytes) }),
        ...encryption,
      };
      return requests.presign({ method: "PUT", key, headers }, { expiresSeconds, audience });
    },

    presignGet: (key, { expiresSeconds, audience }) =>
      requests.presign({ method: "GET", key }, { expiresSeconds, audience }),

    head,
    read: (key) => readObject(requests, key),
    remove: async (key) => void (await requests.send({ method: "DELETE", key })),

    /** A signature cannot be taken back: an empty object in the place makes the store refuse what it would allow. */
    async abandon(key) {
      await requests.send({
        method: "PUT",
        key,
        headers: { ...encryption, "content-length": "0" },
        body: "",
      });
    },

    async *list(prefix, { after, withMarks = false } = {}) {
      let page: Record<string, string> | undefined = after === undefined ? {} : { "start-after": after };
      while (page !== undefined) {
        const query: Record<string, string> = {
          "list-type": "2",
          prefix,
          ...paged("max-keys"),
          ...page,
        };
        const { ListBucketResult: found } = await requests.ask({ method: "GET", query }, objectList);
        for (const { Key, Size, LastModified } of found.Contents) {
          if (Size > 0 || withMarks) yield { key: Key, sizeBytes: Size, modifiedAt: LastModified };
        }
        const token: string | undefined = found.NextContinuationToken;
        page = found.IsTruncated === "true" && token !== undefined ? { "continuation-token": token } : undefined;
      }
    },

    ...createS3Multipart(requests, { encryption, paged, exists: async (key) => (await head(key)) !== undefined }),

    presignPart: async ({ key, uploadId, partNumber, sizeBytes, expiresSeconds }) => {
      if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > 10_000) {
        throw new AetherError("bad_request", "A part number is a whole number from 1 to 10000.");
      }
      const headers: Record<string, string> = sizeBytes === undefined ? {} : { "content-length": String(sizeBytes) };
      const query = { partNumber: String(partNumber), uploadId };
      return requests.presign({ method: "PUT", key, query, headers }, { expiresSeconds, audience: "client" });
    },
  };
  return storage;
}

function encryptionHeaders({ encryption }: S3StorageOptions): Record<string, string> {
  if (encryption === undefined) return {};
  const { algorithm, keyId } = encryption;
  return {
    "x-amz-server-side-encryption": algorithm,
    ...(keyId === undefined ? {} : { "x-amz-server-side-encryption-aws-kms-key-id": keyId }),
  };
}

/** In hex. The checksum of a multipart object is one of its parts' checksums (`<base64>-<parts>`), and no digest. */
function checksumOf(headers: Headers): string | undefined {
  const text = headers.get("x-amz-checksum-sha256");
  const isWhole = headers.get("x-amz-checksum-type") !== "COMPOSITE" && /^[A-Za-z0-9+/]{43}=$/.test(text ?? "");
  return text !== null && isWhole ? Buffer.from(text, "base64").toString("hex") : undefined;
}
