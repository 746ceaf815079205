import { XMLBuilder, XMLParser } from "fast-xml-parser";
import { z } from "zod";

// Everything stays text: an ETag of digits is no number.
const parser = new XMLParser({ ignoreAttributes: true, parseTagValue: false, htmlEntities: true });

/** The document as an object, `undefined` when it is no XML or is cut off. */
export function readXml(text: string): unknown {
  try {
    return parser.parse(text, true);
  } catch {
    return undefined;
  }
}

const errorDocument = z.object({ Code: z.string().optional(), Message: z.string().optional() }).catch({});

/** What the store or the token service says went wrong, when that is what `text` is, whatever the status. */
export function errorIn(text: string): z.infer<typeof errorDocument> | undefined {
  const root = readXml(text);
  const found = childOf(root, "Error") ?? childOf(childOf(root, "ErrorResponse"), "Error");
  return found === undefined ? undefined : errorDocument.parse(found);
}

const childOf = (node: unknown, name: string): unknown =>
  typeof node === "object" && node !== null ? Reflect.get(node, name) : undefined;

/** The elements that the join of a multipart upload names. */
export function writeParts(parts: { partNumber: number; etag: string }[]): string {
  const Part = parts.map(({ partNumber, etag }) => ({ PartNumber: partNumber, ETag: `"${etag.replaceAll('"', "")}"` }));
  return new XMLBuilder().build({ CompleteMultipartUpload: { Part } });
}

const listOf = <T extends z.ZodType>(item: T) =>
  z.preprocess((found) => (found === undefined ? [] : Array.isArray(found) ? found : [found]), z.array(item));
const count = z.coerce.number().int().nonnegative();
const time = z.coerce.date();
const isTruncated = z.enum(["true", "false"]).optional();

/** `GET ?list-type=2`. */
export const objectList = z.object({
  ListBucketResult: z.object({
    IsTruncated: isTruncated,
    NextContinuationToken: z.string().optional(),
    Contents: listOf(z.object({ Key: z.string(), Size: count, LastModified: time })),
  }),
});

/** `GET ?uploads`. */
export const uploadList = z.object({
  ListMultipartUploadsResult: z.object({
    IsTruncated: isTruncated,
    NextKeyMarker: z.string().optional(),
    NextUploadIdMarker: z.string().optional(),
    Upload: listOf(z.object({ Key: z.string(), UploadId: z.string(), Initiated: time })),
  }),
});

/** `GET ?uploadId=`. */
export const partList = z.object({
  ListPartsResult: z.object({
    IsTruncated: isTruncated,
    NextPartNumberMarker: z.string().optional(),
    Part: listOf(z.object({ PartNumber: count, ETag: z.string(), Size: count })),
  }),
});

/** `POST ?uploads`. */
export const startedUpload = z.object({ InitiateMultipartUploadResult: z.object({ UploadId: z.string().min(1) }) });

/** `POST ?uploadId=`. */
export const joinedUpload = z.object({ CompleteMultipartUploadResult: z.object({ ETag: z.string() }) });

/** The answer of the security token service. */
export const assumedRole = z.object({
  AssumeRoleWithWebIdentityResponse: z.object({
    AssumeRoleWithWebIdentityResult: z.object({
      Credentials: z.object({
        AccessKeyId: z.string().min(1),
        SecretAccessKey: z.string().min(1),
        SessionToken: z.string().min(1),
        Expiration: time,
      }),
    }),
  }),
});
