/** Breaks a transfer off when nothing has come for a while. */
export interface StallGuard {
  signal: AbortSignal;
  /** Something came: from now on the silence counts anew. */
  touch(stallMs?: number): void;
  end(): void;
  /** What a broken transfer really broke of: the silence, if it was that. */
  reason(error: unknown): unknown;
}

/** Starts to count at once. */
export function stallGuard(firstMs: number): StallGuard {
  const controller = new AbortController();
  let allowedMs = firstMs;
  const stalled = () => controller.abort(new DOMException(`no byte came for ${allowedMs / 1_000} s`, "StallError"));
  let timer = setTimeout(stalled, allowedMs);
  return {
    signal: controller.signal,
    touch(stallMs = allowedMs) {
      clearTimeout(timer);
      allowedMs = stallMs;
      timer = setTimeout(stalled, allowedMs);
    },
    end: () => clearTimeout(timer),
    reason: (error) => (controller.signal.aborted ? controller.signal.reason : error),
  };
}
