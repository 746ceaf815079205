import type { ArtifactAnswer, ArtifactJob } from "./artifact-worker.ts";
import { workerUrl } from "./worker-url.ts";

/** Writes and hashes an artifact beside this thread, which lists the tree meanwhile. */
export interface ArtifactThread {
  /** Takes `bytes` over: where they are a buffer of their own, nobody else can read them any more. */
  append(descriptor: number, bytes: Uint8Array): Promise<void>;
  /** SHA-256 of all that was appended. */
  digest(): Promise<string>;
  close(): void;
}

/** Starts the thread, which runs until `close`. */
export function startArtifactThread(): ArtifactThread {
  const worker = new Worker(workerUrl("artifact-worker.ts"));
  const waiting: PromiseWithResolvers<string>[] = [];
  let broken: Error | undefined;
  worker.unref(); // a file that somebody forgot must not keep the process alive
  worker.onmessage = ({ data }: MessageEvent<ArtifactAnswer>) => {
    const next = waiting.shift();
    if (waiting.length === 0) worker.unref();
    if (data === "appended") next?.resolve("");
    else if ("digest" in data) next?.resolve(data.digest);
    else next?.reject(Object.assign(new Error(data.failure.message), { code: data.failure.code }));
  };
  worker.onerror = ({ message }) => {
    broken = new Error(`The thread that writes the artifact failed: ${message}`);
    for (const { reject } of waiting.splice(0)) reject(broken);
  };

  function ask(job: ArtifactJob, owned: ArrayBuffer[] = []): Promise<string> {
    if (broken !== undefined) return Promise.reject(broken);
    const answer = Promise.withResolvers<string>();
    waiting.push(answer);
    worker.ref();
    worker.postMessage(job, owned);
    return answer.promise;
  }

  return {
    append: async (descriptor, bytes) => void (await ask({ descriptor, bytes }, ownedBy(bytes))),
    digest: () => ask("finish"),
    close: () => worker.terminate(),
  };
}

/** A member of the cache comes behind a short header in one buffer; anything more beside the bytes may be somebody's. */
function ownedBy({ buffer, byteLength }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer && buffer.byteLength - byteLength <= 64 ? [buffer] : [];
}
