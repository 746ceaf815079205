import { AetherError } from "../../lib/errors.ts";

export interface FileBodyOptions {
  path: string;
  from: number;
  to: number;
  signal: AbortSignal;
  onProgress: (sentBytes: number) => void;
  /** How long no byte may move before the request is broken off. */
  stallMs?: number | undefined;
  /** How long the answer may take once all is handed over: what buffers still hold is sent, and the other side stores. */
  answerMs?: number | undefined;
}

/** A range of a file as the body of a request; `signal` is the request's, and breaks off one that stands still. */
export interface FileBody extends Disposable {
  stream: ReadableStream<Uint8Array>;
  signal: AbortSignal;
  sentBytes(): number;
  hasStalled(): boolean;
}

/** Reads a file while it is sent, so that memory stays flat, and watches that it moves. */
export function fileBody(options: FileBodyOptions): FileBody {
  const { path, from, to, onProgress, stallMs = 15_000, answerMs = 60_000 } = options;
  const stall = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let sent = 0;
  function restart(ms: number) {
    clearTimeout(timer);
    timer = setTimeout(() => stall.abort(new AetherError("unreachable", "The upload stalled.")), ms);
  }
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      sent += chunk.byteLength;
      restart(sent < to - from ? stallMs : answerMs);
      onProgress(sent);
      controller.enqueue(chunk);
    },
  });
  restart(stallMs);
  return {
    stream: Bun.file(path).slice(from, to).stream().pipeThrough(counted),
    signal: AbortSignal.any([options.signal, stall.signal]),
    sentBytes: () => sent,
    hasStalled: () => stall.signal.aborted,
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
