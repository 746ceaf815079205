import { eq } from "drizzle-orm";
import type { ReleaseOrigin } from "../core/deployment.ts";
import type { Tx } from "../db/client.ts";
import { artifacts } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import type { App } from "./apps.ts";
import { getStoredArtifact } from "./artifacts.ts";
import type { Actor, Control } from "./control.ts";
import { insertDeployment } from "./deployment-row.ts";
import type { Deployment } from "./deployments.ts";
import type { Variables } from "./release-variables.ts";
import { assertSigned } from "./signatures.ts";

export interface RepeatedRelease {
  app: App;
  /** Whose artifact and configuration run again. */
  release: Deployment;
  variables: Variables;
  origin: ReleaseOrigin;
  originVersion?: number;
  rollbackOnFailure?: boolean;
  idempotencyKey?: string | undefined;
  actor: Actor;
}

/** A new release of an artifact that the app had; `conflict` when it is gone, and what a download would refuse is refused here. */
export async function repeatRelease(control: Control, tx: Tx, wanted: RepeatedRelease): Promise<Deployment> {
  const { app, release, ...rest } = wanted;
  const [kept] = await tx
    .select({ status: artifacts.status })
    .from(artifacts)
    .where(eq(artifacts.id, release.artifactId));
  if (kept?.status !== "stored") throw artifactGone(release);
  const found = await getStoredArtifact({ db: tx }, release.digest, [app.name]);
  assertSigned(control, found);
  const { config, replicas, devHot, pins } = release;
  return insertDeployment(control, tx, {
    ...rest,
    app,
    artifact: found.artifact,
    config,
    replicas,
    devHot,
    repeatedPins: pins ?? undefined,
  });
}

function artifactGone({ version, digest }: Deployment): AetherError {
  return new AetherError(
    "conflict",
    `The artifact of v${version} (${digest.slice(0, 12)}) is stored no more: retention removed it.`,
    {
      hint: "See aether releases for another version, or deploy that code again. retain_latest of the app says how many stay.",
    },
  );
}
