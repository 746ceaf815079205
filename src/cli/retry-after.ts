import { AetherError } from "../lib/errors.ts";

/** The seconds that an answer asks to wait, as a detail of the error that is made of it. */
export function retryAfter(response: Response): { retry_after_seconds?: number } {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? { retry_after_seconds: seconds } : {};
}

/** How long the other side asked to wait; undefined when it did not. */
export function askedDelayMs(error: unknown): number | undefined {
  const seconds = error instanceof AetherError ? error.details.retry_after_seconds : undefined;
  return typeof seconds === "number" ? seconds * 1000 : undefined;
}

/** Whether the other side is well and has too much to do: it is asked again later, however long that lasts. */
export function isBusy(error: unknown): boolean {
  return askedDelayMs(error) !== undefined;
}
