import { messageOf, systemCode } from "../../lib/errors.ts";
import { writeFully } from "./write-fully.ts";

// The thread that writes an artifact and hashes what it writes. A build must name this file as an entry point of its own.

/** Bytes to append to the open file, or the end of all bytes. Each job is answered, in order. */
export type ArtifactJob = { descriptor: number; bytes: Uint8Array } | "finish";

/** What was done, with the SHA-256 at the end; errors lose their class on the way between threads. */
export type ArtifactAnswer =
  | { digest: string }
  | "appended"
  | { failure: { message: string; code: string | undefined } };

declare const self: Worker;

const hash = new Bun.CryptoHasher("sha256");

self.onmessage = ({ data }: MessageEvent<ArtifactJob>) => self.postMessage(answerTo(data));

function answerTo(job: ArtifactJob): ArtifactAnswer {
  if (job === "finish") return { digest: hash.digest("hex") };
  try {
    const { descriptor, bytes } = job;
    writeFully(descriptor, bytes);
    hash.update(bytes);
    return "appended";
  } catch (error) {
    return { failure: { message: messageOf(error), code: systemCode(error) } };
  }
}
