import { type Digest, isDigest } from "../core/digest.ts";

/** Who will send the signed request: a laptop and a pod may reach the store by different host names. */
export type Audience = "client" | "runtime";

/** A request anyone may send once, verbatim: every header in `headers` is part of the signature. */
export interface SignedRequest {
  url: string;
  method: "PUT" | "GET";
  headers: Record<string, string>;
}

/** The one object that a presigned PUT may store. Without `sizeBytes` any length is accepted, the checksum still binds. */
export interface SignedPut {
  key: string;
  digest: Digest;
  sizeBytes?: number;
  expiresSeconds: number;
  /** Who will send it; laptops unless said otherwise. */
  audience?: Audience;
}

/** A PUT of one part: of exactly `sizeBytes`, else of at most `maxBytes` where the store can hold a client to that. */
export interface SignedPart {
  key: string;
  uploadId: string;
  partNumber: number;
  sizeBytes?: number;
  maxBytes?: number;
  expiresSeconds: number;
}

export interface StoredObject {
  key: string;
  sizeBytes: number;
  modifiedAt: Date;
  /** What the store itself found the bytes to hash to, where it keeps that. */
  checksum?: Digest | undefined;
}

export interface ListOptions {
  /** Begins behind this key, whether it is still there or not. */
  after?: string | undefined;
  /** Also the empty objects that abandoned uploads left. */
  withMarks?: boolean;
}

/** A finished part of a multipart upload, as the store named it when the part was sent. */
export interface UploadedPart {
  partNumber: number;
  etag: string;
}

/** A part that the store holds, so that a broken upload resumes without sending it again. */
export interface ListedPart extends UploadedPart {
  sizeBytes: number;
}

/** A multipart upload that was neither completed nor aborted. */
export interface StartedMultipart {
  key: string;
  uploadId: string;
  startedAt: Date;
}

/**
 * Where artifacts lie. Keys are `artifacts/<app>/<digest>/app.tar.gz`, written once and never changed. Missing objects
 * are `undefined` from `head`, `not_found` from `read`; an unusable store throws `service_unavailable`.
 */
export interface ArtifactStorage {
  readonly kind: "filesystem" | "s3";
  /** Throws when the store cannot be read and written now. */
  check(): Promise<void>;
  /** Throws when the store was set up so that no upload can work; cheap, and passes a store that is merely in trouble. */
  checkSettings(): Promise<void>;
  /** Whether a signed PUT of other bytes, not in parts, is refused, as far as is known; where it is not, bytes must be hashed again. */
  refusesOtherBytes(): boolean;
  /** A PUT bound to key, checksum, length and expiry, that succeeds at most once (412 when the object exists). */
  presignPut(put: SignedPut): Promise<SignedRequest>;
  presignGet(key: string, options: { expiresSeconds: number; audience: Audience }): Promise<SignedRequest>;
  head(key: string): Promise<StoredObject | undefined>;
  /**
   * The object's bytes as a stream, for re-hashing without holding them in memory. A store in trouble has been asked
   * often enough when this fails; `conflict` says that the object changed meanwhile and must be read anew.
   */
  read(key: string): Promise<ReadableStream<Uint8Array>>;
  /** Idempotent. */
  remove(key: string): Promise<void>;
  /** Ends an upload: bytes go as with `remove`, and URLs that were given out store nothing until `remove` is called. */
  abandon(key: string): Promise<void>;
  /** In an order of the store's own, a page at a time as it is read. */
  list(prefix: string, options?: ListOptions): AsyncIterable<StoredObject>;
  startMultipart(key: string): Promise<string>;
  presignPart(part: SignedPart): Promise<SignedRequest>;
  /** The finished parts of an upload, in order; `not_found` when it was completed or aborted. */
  listParts(key: string, uploadId: string): Promise<ListedPart[]>;
  /**
   * Joins the parts in order; `bad_request` when one is missing or its etag differs. Files are hashed as they are joined,
   * and others than the key's digest end the upload with `digest_mismatch`; S3 does not compare.
   */
  completeMultipart(key: string, uploadId: string, parts: UploadedPart[]): Promise<void>;
  /** Idempotent: parts are deleted and their URLs stop. */
  abortMultipart(key: string, uploadId: string): Promise<void>;
  /** Unfinished uploads of keys with this prefix. Some stores (MinIO) list those of one whole key only. */
  listMultiparts(prefix: string): AsyncIterable<StartedMultipart>;
}

/** The key an artifact's bytes are stored under; bytes are stored per app. */
export const artifactKey = (app: string, digest: Digest): string => `artifacts/${app}/${digest}/app.tar.gz`;

/** The app and the digest of a key of `artifactKey`; undefined for every other. */
export function partsOfKey(key: string): { app: string; digest: Digest } | undefined {
  const [root, app, digest, name, ...rest] = key.split("/");
  const isOurs = root === "artifacts" && app && isDigest(digest) && name === "app.tar.gz" && rest.length === 0;
  return isOurs ? { app, digest } : undefined;
}

/** The digest that a key of `artifactKey` names. */
export function digestOfKey(key: string): Digest | undefined {
  const digest = key.split("/").at(-2);
  return isDigest(digest) ? digest : undefined;
}
