import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { formatPodVerdict, type PodFetch, podPaths } from "../core/pod-agent.ts";
import { messageOf } from "../lib/errors.ts";
import { toFailure } from "./failure.ts";

/** A line in the log of the container that fetches. */
export function say(line: string): void {
  process.stdout.write(`[fetcher] ${line}\n`);
}

/** Why this container ends: said, and left for the control plane. */
export function leaveVerdict(error: unknown, wanted: Pick<PodFetch, "digest" | "terminationFile"> | undefined): void {
  const { reason, message } = toFailure(error);
  say(`${reason}: ${message}`);
  if (wanted) leaveMessage(wanted, formatPodVerdict({ reason, message, digest: wanted.digest }));
}

/** For the kubelet, which shows it in the pod's status: the control plane reads there what went wrong, or how long it took. */
export function leaveMessage(
  { terminationFile = podPaths.terminationMessage }: Pick<PodFetch, "terminationFile">,
  message: string,
): void {
  try {
    writeFileSync(terminationFile, message);
  } catch (error) {
    say(`the verdict could not be left at ${terminationFile}: ${messageOf(error)}`);
  }
}

/** The pod's own token for our server, read anew each time, since the kubelet rotates it. */
export function tokenOptions({ tokenFile }: Pick<PodFetch, "tokenFile">): { authorization?: () => Promise<string> } {
  if (tokenFile === undefined) return {};
  return { authorization: async () => `Bearer ${(await readFile(tokenFile, "utf8")).trim()}` };
}
