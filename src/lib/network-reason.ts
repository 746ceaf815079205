import { messageOf, systemCode } from "./errors.ts";

const reasons: Record<string, string> = {
  ECONNREFUSED: "nothing listens there",
  ConnectionRefused: "nothing listens there",
  ECONNRESET: "the other side closed it",
  ConnectionClosed: "the other side closed it",
  EPIPE: "the other side closed it",
  ETIMEDOUT: "no answer came in time",
  ENOTFOUND: "there is no such host",
};

/** Why the network failed, for people: Bun's own texts name options of its API. Without a full stop. */
export function networkReason(error: unknown): string {
  if (isTimeout(error)) return "no answer came in time";
  const known = reasons[systemCode(error) ?? ""];
  if (known !== undefined) return known;
  return messageOf(error)
    .replace(/\s*For more information, pass `verbose: true`.*$/s, "")
    .replace(/[.\s]+$/, "");
}

/** Whether a request was broken off because nothing came in time. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === "TimeoutError";
}
