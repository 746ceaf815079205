import { AetherError } from "../../lib/errors.ts";
import type { ListedPart, StartedMultipart, UploadedPart } from "../storage.ts";
import { isS3Code, S3Failure } from "./s3-failure.ts";
import type { S3Requests } from "./s3-requests.ts";
import { joinedUpload, partList, startedUpload, uploadList, writeParts } from "./s3-xml.ts";

/** The store may take its time to put the parts together before it says a word. */
const joinPatienceMs = 60_000;

export interface MultipartOptions {
  /** The headers that ask for encryption at rest. */
  encryption: Record<string, string>;
  /** The parameter of this name that sets the size of a page, if any. */
  paged: (name: string) => Record<string, string>;
  exists: (key: string) => Promise<boolean>;
}

/** Uploads in parts, as the store keeps them. */
export function createS3Multipart(requests: S3Requests, { encryption, paged, exists }: MultipartOptions) {
  return {
    async startMultipart(key: string): Promise<string> {
      const request = { method: "POST", key, query: { uploads: "" }, headers: encryption } as const;
      const { InitiateMultipartUploadResult } = await requests.ask(request, startedUpload);
      return InitiateMultipartUploadResult.UploadId;
    },

    async listParts(key: string, uploadId: string): Promise<ListedPart[]> {
      const parts: ListedPart[] = [];
      let marker: string | undefined = "0";
      while (marker !== undefined) {
        const query: Record<string, string> = { uploadId, "part-number-marker": marker, ...paged("max-parts") };
        const request = { method: "GET", key, query } as const;
        const { ListPartsResult: page } = await requests.ask(request, partList).catch(asUnknownUpload);
        parts.push(
          ...page.Part.map(({ PartNumber, ETag, Size }) => ({ partNumber: PartNumber, etag: ETag, sizeBytes: Size })),
        );
        marker = page.IsTruncated === "true" ? page.NextPartNumberMarker : undefined;
      }
      return parts;
    },

    /** A lost answer leaves the object there and the upload gone: asked again, that is the success it was. */
    async completeMultipart(key: string, uploadId: string, parts: UploadedPart[]): Promise<void> {
      if (parts.length === 0) throw new AetherError("bad_request", "A multipart upload needs at least one part.");
      const request = {
        method: "POST",
        key,
        query: { uploadId },
        headers: { "if-none-match": "*", "content-type": "application/xml" },
        body: writeParts(parts),
        patienceMs: joinPatienceMs,
        attempts: 1,
      } as const;
      await requests.trying(async (attempt) => {
        try {
          await requests.ask(request, joinedUpload);
        } catch (error) {
          const isOver = isS3Code(error, "NoSuchUpload") || isPreconditionFailed(error);
          if (isOver && attempt > 1 && (await exists(key))) return;
          throw asPartsFailure(error);
        }
      });
    },

    async abortMultipart(key: string, uploadId: string): Promise<void> {
      try {
        await requests.send({ method: "DELETE", key, query: { uploadId } });
      } catch (error) {
        if (!isS3Code(error, "NoSuchUpload")) throw error;
      }
    },

    async *listMultiparts(prefix: string): AsyncGenerator<StartedMultipart> {
      let markers: Record<string, string> | undefined = {};
      while (markers !== undefined) {
        const query: Record<string, string> = { uploads: "", prefix, ...paged("max-uploads"), ...markers };
        const { ListMultipartUploadsResult: page } = await requests.ask({ method: "GET", query }, uploadList);
        for (const { Key, UploadId, Initiated } of page.Upload) {
          if (Key.startsWith(prefix)) yield { key: Key, uploadId: UploadId, startedAt: Initiated };
        }
        const { IsTruncated, NextKeyMarker = "", NextUploadIdMarker = "" } = page;
        markers =
          IsTruncated === "true" ? { "key-marker": NextKeyMarker, "upload-id-marker": NextUploadIdMarker } : undefined;
      }
    },
  };
}

const isPreconditionFailed = (error: unknown): boolean => error instanceof S3Failure && error.httpStatus === 412;

function asUnknownUpload(error: unknown): never {
  throw isS3Code(error, "NoSuchUpload") ? unknownUpload(error) : error;
}

const unknownUpload = (cause: unknown): AetherError =>
  new AetherError("not_found", "There is no such multipart upload: it was completed or abandoned.", {
    cause,
    hint: "Start the upload again.",
  });

function asPartsFailure(error: unknown): unknown {
  if (isS3Code(error, "InvalidPart", "InvalidPartOrder", "EntityTooSmall", "InvalidArgument", "MalformedXML")) {
    return new AetherError("bad_request", `The parts cannot be joined: ${error.message}`, {
      cause: error,
      hint: "List the parts in ascending order with the etags they were given; all but the last have 5 MiB or more.",
    });
  }
  if (isPreconditionFailed(error)) {
    return new AetherError("conflict", "The artifact is stored already.", { hint: "Go on to complete." });
  }
  return isS3Code(error, "NoSuchUpload") ? unknownUpload(error) : error;
}
