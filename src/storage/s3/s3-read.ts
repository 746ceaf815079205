import { AetherError } from "../../lib/errors.ts";
import { broken, isS3Code, S3Failure } from "./s3-failure.ts";
import type { S3Answer, S3Requests } from "./s3-requests.ts";

/** What is known of the object since its first byte. */
interface Reading {
  key: string;
  etag: string;
  totalBytes: number;
  /** Given to the reader so far. */
  offset: number;
}

/** Breaks that a transfer survives without getting on by `progressBytes` in between. */
const attempts = 5;
const progressBytes = 1024 ** 2;

/**
 * The whole object, or an error: what breaks or stalls goes on where it was, by Range and If-Match. A body that ends
 * early, and an object that is another one by now, are never taken for the whole.
 */
export async function readObject(requests: S3Requests, key: string): Promise<ReadableStream<Uint8Array>> {
  const first = await openObject(requests, key);
  const { headers } = first.response;
  const length = headers.get("content-length");
  const reading = { key, etag: headers.get("etag") ?? "", totalBytes: Number(length), offset: 0 };
  if (reading.totalBytes > 0 && reading.etag !== "") return streamOf(bytesOf(requests, reading, first));
  await first.response.body?.cancel();
  first.guard.end();
  if (length === "0") throw missing(key); // the mark of an abandoned upload
  throw new AetherError("service_unavailable", "The artifact storage does not tell an object's size and ETag.", {
    hint: "A proxy in between may strip them; without them a broken transfer cannot be told from a whole one.",
  });
}

async function* bytesOf(requests: S3Requests, reading: Reading, first: S3Answer): AsyncGenerator<Uint8Array> {
  let answer: S3Answer | undefined = first;
  let breaks = 0;
  let brokeAt = 0;
  for (;;) {
    try {
      answer ??= await openRest(requests, reading);
      yield* wholeBody(requests, answer, reading);
      return;
    } catch (error) {
      if (!(error instanceof S3Failure) || !error.isTransient) throw error;
      if (reading.offset >= brokeAt + progressBytes) breaks = 0;
      brokeAt = reading.offset;
      breaks += 1;
      if (breaks === attempts) throw error;
      await requests.pause(breaks);
    } finally {
      answer?.guard.end();
    }
    answer = undefined;
  }
}

/** Pulled by the reader, so that no more than a chunk is held. */
function streamOf(bytes: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await bytes.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: async () => void (await bytes.return(undefined)),
  });
}

/** The bytes after `offset`, also where the store ignores Range and sends all of them. */
async function* wholeBody(
  requests: S3Requests,
  { response, guard }: S3Answer,
  reading: Reading,
): AsyncGenerator<Uint8Array> {
  let toSkip = response.status === 206 ? 0 : reading.offset;
  try {
    for await (const chunk of response.body ?? []) {
      guard.touch();
      const skipped = Math.min(toSkip, chunk.length);
      toSkip -= skipped;
      const rest = chunk.subarray(skipped);
      if (rest.length === 0) continue;
      reading.offset += rest.length;
      if (reading.offset > reading.totalBytes) break;
      yield rest;
      guard.touch(); // what the reader does with it takes its own time
    }
  } catch (error) {
    throw broken(guard.reason(error), requests.place);
  }
  if (reading.offset === reading.totalBytes) return;
  const ended = `the transfer ended after ${reading.offset} of ${reading.totalBytes} bytes`;
  throw broken(new Error(ended), requests.place);
}

async function openRest(requests: S3Requests, { key, etag, totalBytes, offset }: Reading): Promise<S3Answer> {
  const answer = await openObject(requests, key, { range: `bytes=${offset}-`, "if-match": etag }).catch((error) => {
    throw error instanceof S3Failure && error.httpStatus === 412 ? changed(key) : error;
  });
  const { status, headers } = answer.response;
  const sameEtag = headers.get("etag") === etag;
  const fits =
    status === 206
      ? headers.get("content-range") === `bytes ${offset}-${totalBytes - 1}/${totalBytes}`
      : headers.get("content-length") === String(totalBytes);
  if (sameEtag && fits) return answer;
  await answer.response.body?.cancel();
  answer.guard.end();
  throw changed(key);
}

async function openObject(requests: S3Requests, key: string, headers: Record<string, string> = {}): Promise<S3Answer> {
  try {
    return await requests.open({ method: "GET", key, headers });
  } catch (error) {
    throw isS3Code(error, "NoSuchKey") ? missing(key) : error;
  }
}

const missing = (key: string): AetherError => new AetherError("not_found", `The artifact storage holds no ${key}.`);

const changed = (key: string): AetherError =>
  new AetherError("conflict", `The object ${key} changed while it was read.`, {
    hint: "Artifacts are never changed: someone else writes to the bucket.",
  });
