import { readSigningKey } from "../../config/signing-key.ts";
import { type Client, createClient } from "../client.ts";
import type { CommandContext } from "../command.ts";
import type { DeployContext } from "./pack-project.ts";
import { createReport } from "./report.ts";

export interface ReleaseContext extends DeployContext {
  /** Rides out a server that restarts: by now there is work to lose. */
  patient: Client;
}

/** How long an upload rides out a server that restarts. */
const restartMs = 30_000;

/** What packing and releasing need beside the command's own context; the report's clock starts now. */
export async function createReleaseContext(context: CommandContext): Promise<ReleaseContext> {
  const { config, env, signal } = context;
  const client = createClient({ ...config, signal });
  const patient = createClient({ ...config, signal, patienceMs: restartMs });
  const report = createReport();
  return { ...context, client, patient, report, signingKey: await readSigningKey(env) };
}
