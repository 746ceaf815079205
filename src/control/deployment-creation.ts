import { isDeepStrictEqual } from "node:util";
import type { AppConfig } from "../core/app-config.ts";
import { type Digest, parseDigest } from "../core/digest.ts";
import type { Tx } from "../db/client.ts";
import { crashPoint } from "../lib/crash-point.ts";
import { AetherError } from "../lib/errors.ts";
import { lockAppNamed } from "./app-lock.ts";
import { readVariables } from "./app-variables.ts";
import type { App } from "./apps.ts";
import { getStoredArtifact, type NamedArtifact } from "./artifacts.ts";
import type { Actor, Control } from "./control.ts";
import { findRepeated } from "./deployment-keys.ts";
import { insertDeployment } from "./deployment-row.ts";
import type { Deployment } from "./deployments.ts";
import { assertLive } from "./live-app.ts";
import { assertUnlocked } from "./locks.ts";
import { assertSigned, attachSignature, type Signed, verifySignature } from "./signatures.ts";
import { transact } from "./transactions.ts";

/** `replayed` when its idempotency key had made it before. */
export type CreatedDeployment = Deployment & { replayed: boolean };

export interface NewDeployment {
  app: string;
  digest?: string | undefined;
  artifactUrl?: string | undefined;
  config?: AppConfig | undefined;
  replicas?: number | undefined;
  /** Of the digest, for an artifact that was stored without one. */
  signature?: string | undefined;
  /** Should it fail, the app's variables become again those of what runs. */
  rollbackOnFailure?: boolean | undefined;
  /** For development: later ones like it are loaded into its replicas while they run. */
  devHot?: boolean | undefined;
  idempotencyKey?: string | undefined;
}

/** Records what is wanted; the rollout makes it so. The same idempotency key gives the same deployment. */
export async function createDeployment(
  control: Control,
  wanted: NewDeployment,
  actor: Actor,
): Promise<CreatedDeployment> {
  const digest = wantedDigest(wanted);
  const signed = await signatureOf(control, { ...wanted, digest });
  const create = async (tx: Tx): Promise<CreatedDeployment> => {
    // The app's row serialises its deployments: versions have no gaps, and the newest one is the one that counts. It also
    // keeps retention out, so that what is found stored here stays.
    const app = assertLive(await lockAppNamed(tx, wanted.app));
    const isSame = (earlier: Deployment) => isSameRequest(earlier, wanted, digest);
    const earlier = await findRepeated(tx, app, { key: wanted.idempotencyKey, isSame });
    if (earlier) return { ...earlier, replayed: true };
    assertUnlocked(app);
    const { artifact } = await getDeployable(control, tx, { app, digest, signed, actor, at: control.now() });
    const deployment = await insertDeployment(control, tx, {
      app,
      artifact,
      config: wanted.config ?? null,
      replicas: wanted.replicas ?? 1,
      variables: await readVariables({ db: tx, secrets: control.secrets }, app.id),
      origin: "deploy",
      rollbackOnFailure: wanted.rollbackOnFailure ?? false,
      devHot: wanted.devHot ?? false,
      idempotencyKey: wanted.idempotencyKey,
      actor,
    });
    return { ...deployment, replayed: false };
  };
  const created = await transact(control, create, { repeatable: wanted.idempotencyKey !== undefined });
  crashPoint("deployment-created");
  return created;
}

async function signatureOf(
  { db }: Control,
  { app, digest, signature }: { app: string; digest: Digest; signature?: string | undefined },
): Promise<Signed | undefined> {
  return signature === undefined ? undefined : verifySignature(db, { app, digest, signature });
}

/** The stored artifact with its signature, if it may be deployed. */
async function getDeployable(
  control: Control,
  tx: Tx,
  { app, digest, signed, ...by }: { app: App; digest: Digest; signed: Signed | undefined; actor: Actor; at: Date },
): Promise<NamedArtifact> {
  const known = await getStoredArtifact({ db: tx }, digest, [app.name]);
  const isNew = signed !== undefined && (await attachSignature(tx, known.artifact, { signed, ...by }));
  const found = isNew ? await getStoredArtifact({ db: tx }, digest, [app.name]) : known;
  assertSigned(control, found);
  return found;
}

function isSameRequest(earlier: Deployment, wanted: NewDeployment, digest: Digest): boolean {
  return (
    earlier.origin === "deploy" &&
    earlier.digest === digest &&
    earlier.replicas === (wanted.replicas ?? 1) &&
    earlier.devHot === (wanted.devHot ?? false) &&
    isDeepStrictEqual(earlier.config ?? undefined, wanted.config)
  );
}

/** An `artifact_url` is resolved to a digest of that app and never fetched as given. */
function wantedDigest({ app, digest, artifactUrl }: NewDeployment): Digest {
  if (digest !== undefined || artifactUrl === undefined) return parseDigest(digest, { prefix: true });
  const path = URL.canParse(artifactUrl) ? new URL(artifactUrl).pathname : artifactUrl;
  const match =
    /(?:^|\/)artifacts\/([a-z][-a-z0-9]*)\/([0-9a-f]{64})\/app\.tar\.gz$/.exec(path) ??
    /()\/artifacts\/([0-9a-f]{64})\/download$/.exec(path);
  if (match && (match[1] === "" || match[1] === app)) return parseDigest(match[2]);
  throw new AetherError("not_found", "The artifact_url names no stored artifact of this app.", {
    hint: "Send the artifact's digest instead.",
  });
}
