import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import { retry } from "../../lib/retry.ts";
import { broken, refusal, S3Failure } from "./s3-failure.ts";
import type { S3StorageOptions } from "./s3-options.ts";
import { createS3Signing, type S3Target } from "./s3-signing.ts";
import { type StallGuard, stallGuard } from "./s3-stall.ts";
import { errorIn, readXml } from "./s3-xml.ts";

export interface S3Request extends S3Target {
  /** How often it is tried at most when the store is in trouble. */
  attempts?: number;
  /** How long the store may think before the first byte. */
  patienceMs?: number;
}

/** An open answer; its body is read under the guard, which breaks it off when nothing comes. */
export interface S3Answer {
  response: Response;
  guard: StallGuard;
}

export type S3Requests = ReturnType<typeof createS3Requests>;

const mostAttempts = 5;
const overallMs = 60_000;

/** Requests to one bucket, signed, and tried again while the store is in trouble. */
export function createS3Requests(options: S3StorageOptions) {
  const { bucket, baseUrl, stallMs = 15_000, retryDelayMs, signal } = options;
  const signing = createS3Signing(options);
  const place = { bucket, baseUrl };

  /** One try; a refusal is thrown. */
  async function sendOnce(request: S3Request): Promise<S3Answer> {
    const { url, headers } = await signing.sign(request);
    headers.set("accept-encoding", "identity"); // after signing: Google's front end changes it on the way
    const guard = stallGuard(request.patienceMs ?? stallMs);
    try {
      const response = await fetch(url, {
        method: request.method,
        headers,
        ...(request.body === undefined ? {} : { body: request.body }),
        redirect: "manual",
        decompress: false,
        signal: signal ? AbortSignal.any([guard.signal, signal]) : guard.signal,
      });
      guard.touch(stallMs);
      if (response.ok) return { response, guard };
      throw refusal(response, await response.text(), place);
    } catch (error) {
      guard.end();
      throw error instanceof S3Failure ? error : broken(guard.reason(error), place);
    }
  }

  /** `work`, again while the store is in trouble: five times, within a minute. */
  function trying<T>(work: (attempt: number) => Promise<T>, attempts = mostAttempts): Promise<T> {
    const deadline = performance.now() + overallMs;
    return retry(work, {
      attempts,
      ...(retryDelayMs === undefined ? {} : { firstDelayMs: retryDelayMs }),
      ...(signal ? { signal } : {}),
      shouldRetry: (error) => error instanceof S3Failure && error.isTransient && performance.now() < deadline,
    });
  }

  return {
    place,
    trying,
    /** Before a transfer that broke so often goes on: longer and longer, with jitter. */
    pause: (breaks: number) => sleep(Math.min(10_000, (retryDelayMs ?? 200) * 2 ** breaks) * (0.5 + Math.random() / 2)),
    presign: signing.presign,

    open: (request: S3Request): Promise<S3Answer> => trying(() => sendOnce(request), request.attempts),

    /** The headers of the answer; what body there is is dropped. */
    send: (request: S3Request): Promise<Headers> =>
      trying(async () => {
        const { response, guard } = await sendOnce(request);
        await response.body?.cancel();
        guard.end();
        return response.headers;
      }, request.attempts),

    /** The answer as `schema` describes it. An error under status 200, or half a document, is a failure like any other. */
    ask: <T extends z.ZodType>(request: S3Request, schema: T): Promise<z.infer<T>> =>
      trying(async () => {
        const { response, guard } = await sendOnce(request);
        const text = await response
          .text()
          .catch((error: unknown) => {
            throw broken(guard.reason(error), place);
          })
          .finally(guard.end);
        if (errorIn(text) !== undefined) throw refusal(response, text, place);
        const parsed = schema.safeParse(readXml(text));
        if (parsed.success) return parsed.data;
        throw new S3Failure(
          { httpStatus: response.status, isTransient: true },
          `The artifact storage at ${baseUrl} gave an answer that cannot be understood.`,
          { cause: parsed.error, hint: "Check that AETHER_S3_BASE_URL is the address of an S3 API." },
        );
      }, request.attempts),
  };
}
