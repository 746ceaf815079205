import { type Digest, isDigest } from "./digest.ts";
import { type RefreshFailure, refreshFailures } from "./hot-markers.ts";

/** `POST /agent/reports`: how the server knows what each replica of a dev-hot release runs. Sent again, it says the same. */
export interface AgentReport {
  pod: string;
  digest: Digest;
  outcome: "ok" | "fail";
  /** What serves now; absent: nothing yet. */
  serving?: Digest | undefined;
  /** Of a failure. */
  reason?: RefreshFailure | undefined;
  /** For a person. */
  message?: string | undefined;
  /** The last lines of a version that did not come up. */
  log?: string[] | undefined;
  /** From the moment the digest was seen. */
  ms: number;
  /** RFC 3339, by the pod's clock; with `pod` it names the report. */
  at: string;
}

/** What people are shown of a report. */
export type Reload = Pick<AgentReport, "digest" | "outcome" | "reason" | "message" | "ms" | "at">;

/** Where the server, and nobody else, writes on the pod what that pod last reported. */
export const reportAnnotation = "aether.dev/reload";

const most = { message: 2_000, lines: 50, line: 500 };

/** The annotation's value; what is long is cut. */
export function formatReport({ message, log, ...report }: AgentReport): string {
  const lines = log?.slice(-most.lines).map((line) => line.slice(0, most.line));
  return JSON.stringify({ ...report, message: message?.slice(0, most.message), log: lines });
}

/** What `formatReport` wrote, or undefined when it is none. */
export function parseReport(text: string | undefined): AgentReport | undefined {
  if (text === undefined) return undefined;
  try {
    const { pod, digest, outcome, serving, reason, message, log, ms, at } = JSON.parse(text);
    if (!isDigest(digest) || (outcome !== "ok" && outcome !== "fail")) return undefined;
    const known = refreshFailures.find((one) => one === reason);
    return {
      ...{ pod: String(pod), digest, outcome, ms: Number(ms), at: String(at) },
      ...(isDigest(serving) && { serving }),
      ...(known && { reason: known }),
      ...(message && { message: String(message) }),
      ...(Array.isArray(log) && { log: log.map(String) }),
    };
  } catch {
    return undefined;
  }
}
