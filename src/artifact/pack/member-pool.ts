import { AetherError } from "../../lib/errors.ts";
import type { Member, MemberInput, MemberOptions } from "./member.ts";
import type { MemberAnswer, MemberJob } from "./member-worker.ts";
import { workerUrl } from "./worker-url.ts";

/** Threads that make members. */
export interface MemberPool {
  make(input: MemberInput): Promise<Member>;
  close(): void;
}

/** `workers` threads, which start at once and end with `close`. */
export function createMemberPool(options: MemberOptions, workers: number): MemberPool {
  const all = Array.from({ length: workers }, startWorker);
  const idle = [...all];
  const waiting: { job: MemberJob; settle: (worker: Worker) => void }[] = [];
  let broken: Error | undefined;

  function startWorker(): Worker {
    const worker = new Worker(workerUrl("member-worker.ts"));
    worker.unref(); // a pool that somebody forgot must not keep the process alive
    return worker;
  }

  function make(input: MemberInput): Promise<Member> {
    const job: MemberJob = { input, options };
    return new Promise((resolve, reject) => {
      const settle = (worker: Worker) => {
        worker.ref();
        worker.onmessage = ({ data }: MessageEvent<MemberAnswer>) => {
          release(worker);
          if ("member" in data) resolve(data.member);
          else reject(toError(data));
        };
        worker.onerror = ({ message }) => {
          broken = new Error(`A packing worker failed: ${message}`);
          reject(broken);
        };
        const own = "bytes" in input && input.bytes.byteLength === input.bytes.buffer.byteLength;
        worker.postMessage(job, own ? [input.bytes.buffer as ArrayBuffer] : []);
      };
      if (broken !== undefined) return reject(broken);
      waiting.push({ job, settle });
      assign();
    });
  }

  function release(worker: Worker): void {
    worker.unref();
    idle.push(worker);
    assign();
  }

  function assign(): void {
    while (idle.length > 0 && waiting.length > 0) {
      const worker = idle.pop();
      const next = waiting.shift();
      if (worker !== undefined && next !== undefined) next.settle(worker);
    }
  }

  function close(): void {
    for (const worker of all) worker.terminate();
  }

  return { make, close };
}

function toError(answer: Exclude<MemberAnswer, { member: Member }>): Error {
  if ("bug" in answer) return new Error(answer.bug);
  const { code, message, hint, details } = answer.failure;
  return new AetherError(code, message, { hint, details });
}
