import { formatMs } from "../lib/durations.ts";
import { AetherError } from "../lib/errors.ts";
import type { Client } from "./client.ts";
import type { CommandContext } from "./command.ts";
import { eventHints } from "./event-hints.ts";
import { waitForDeployment } from "./wait-for-deployment.ts";

/** A release that was made, and the command's wish not to wait for it. */
export interface FollowedRelease {
  app: string;
  id: string;
  version: number;
  detach: boolean;
  /** How long it may take to answer; without, as long as the server tries. */
  withinMs?: number | undefined;
}

export interface FollowedFields {
  deployment_id: string;
  version: number;
  status: string;
  url: string | null;
}

/** Waits for the verdict as deploy does and tells it; throws `deployment_failed` with the cause and the log. */
export async function followRelease(
  { app, id, version, detach, withinMs }: FollowedRelease,
  { client, output, signal }: Pick<CommandContext, "output" | "signal"> & { client: Client },
): Promise<FollowedFields> {
  if (detach) {
    output.done(`v${version} of ${app} is on its way; aether status ${app} shows it`);
    return { deployment_id: id, version, status: "pending", url: (await client.app(app)).url };
  }
  const since = performance.now();
  const hints = (ended: AbortSignal) => eventHints(client, app, ended);
  const late = withinMs === undefined ? undefined : AbortSignal.timeout(withinMs);
  const until = late ? AbortSignal.any([signal, late]) : signal;
  const wait = waitForDeployment({ client, id, app, signal: until, hints, warn: output.warn });
  const { status, url } = await wait.catch((error: unknown) => {
    if (late?.aborted && error === late.reason) throw tooLate({ app, version, withinMs });
    if (signal.aborted) output.warn(`v${version} of ${app} is released without you; aether status ${app} shows it`);
    throw error;
  });
  const where = url === null ? "" : ` at ${url}`;
  output.done(`v${version} of ${app} answers${where} after ${formatMs(performance.now() - since)}`);
  return { deployment_id: id, version, status, url };
}

function tooLate({ app, version, withinMs = 0 }: Pick<FollowedRelease, "app" | "version" | "withinMs">): AetherError {
  const message = `v${version} of ${app} does not run after ${formatMs(withinMs)}; the server goes on trying.`;
  return new AetherError("deployment_failed", message, {
    hint: `aether status ${app} shows what became of it, and aether logs ${app} what it says.`,
  });
}
