import type { Digest } from "../../core/digest.ts";
import type { DeploymentView } from "../../core/wire.ts";
import { AetherError } from "../../lib/errors.ts";
import type { Client } from "../client.ts";

/** As many as the server gives at once: hours of saving, and most of it may have failed. */
const known = 1_000;

/** An app's deployments, newest first: of hot reload as well, which `aether releases` leaves out. */
export const readHistory = (client: Client, app: string): Promise<DeploymentView[]> => client.deployments(app, known);

/** What the app was last told to run, if that has not failed. */
export const currentOf = (history: DeploymentView[]): DeploymentView | undefined =>
  history.find(({ status }) => status === "pending" || status === "running");

/** What runs now. */
export function runningOf(history: DeploymentView[], app: string): DeploymentView {
  const running = history.find(({ status }) => status === "running");
  if (running) return running;
  throw new AetherError("conflict", `Nothing of "${app}" runs that code could be loaded into.`, {
    hint: "Deploy it first: aether deploy --dev-hot, or aether dev deploy-sample.",
  });
}

/** What ran last before `current`, with another digest; with `digest`, that one. */
export function earlierOf(
  history: DeploymentView[],
  { app, current, digest }: { app: string; current: DeploymentView | undefined; digest?: Digest | undefined },
): DeploymentView {
  const ran = history.filter(({ running_at }) => running_at !== null);
  const found =
    digest === undefined
      ? ran.find((one) => !current || (one.version < current.version && one.digest !== current.digest))
      : ran.find((one) => one.digest === digest);
  if (found) return found;
  if (digest !== undefined) {
    throw new AetherError("not_found", `The digest ${digest} never ran as "${app}".`, {
      hint: `aether dev hot-patch ${app} ${digest} loads it, if it is stored.`,
    });
  }
  throw new AetherError("conflict", `No other digest of "${app}" ever ran: there is nothing to return to.`, {
    hint: `aether dev hot-status ${app} shows what runs.`,
  });
}
