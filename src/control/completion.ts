import { setTimeout as sleep } from "node:timers/promises";
import { eq } from "drizzle-orm";
import type { Digest } from "../core/digest.ts";
import type { Tx } from "../db/client.ts";
import { artifacts } from "../db/schema.ts";
import { crashPoint } from "../lib/crash-point.ts";
import { AetherError } from "../lib/errors.ts";
import { artifactKey } from "../storage/storage.ts";
import { lockApp } from "./app-lock.ts";
import { lockHeld } from "./artifact-lease.ts";
import { recordArtifact } from "./artifact-record.ts";
import { giveUp, removeBytes } from "./byte-removal.ts";
import type { Actor, Control } from "./control.ts";
import { quotaProblem } from "./quotas.ts";
import { adoptArtifact } from "./reservation.ts";
import { transact } from "./transactions.ts";
import { assertSize } from "./upload-size.ts";
import { type Artifact, findArtifact } from "./uploads.ts";
import { noBytes, type Verdict, verifyObject } from "./verification.ts";
import { claimUpload, holdClaim, returnToPending } from "./verification-lease.ts";

export interface Completion {
  app: string;
  digest: Digest;
  sizeBytes: number;
}

export interface Completed {
  artifact: Artifact;
  /** The artifact was stored before, or by a request at the same time. */
  duplicate: boolean;
}

/**
 * Makes uploaded bytes an artifact: `pending → verifying → stored`. Size and hash are those of the stored object, not of
 * what the client says. Completing a stored artifact again is a success that changes nothing.
 */
export async function completeUpload(control: Control, completion: Completion, actor: Actor): Promise<Completed> {
  const stopTimer = control.metrics.completeDuration.startTimer();
  try {
    assertSize(control, completion.sizeBytes);
    const artifact = await findUpload(control, completion, actor);
    if (artifact.status === "stored") return toDuplicate(control, artifact, completion);
    return await completeOnce(control, { artifact, completion, actor });
  } catch (error) {
    control.metrics.completeFailures.inc();
    throw error;
  } finally {
    stopTimer();
  }
}

/** The upload's row; bytes that were never asked for get one where presigning is not demanded. */
async function findUpload(control: Control, { app, digest, sizeBytes }: Completion, actor: Actor): Promise<Artifact> {
  const artifact = await findArtifact(control, app, digest);
  const isKnown = artifact !== undefined && artifact.status !== "expired";
  if (isKnown && (artifact.presignedAt !== null || artifact.status === "stored")) return artifact;
  if (control.settings.requirePresign) {
    throw new AetherError("presign_required", `No upload of ${digest} was presigned for this app.`, {
      hint: "Ask for a presigned URL first: POST /artifacts/presign.",
    });
  }
  if (isKnown) return artifact;
  if ((await control.storage.head(artifactKey(app, digest))) === undefined) throw noBytes();
  return adoptArtifact(control, { app, digest, sizeBytes }, actor);
}

type Work = { artifact: Artifact; completion: Completion; actor: Actor };

/** One request verifies; others of the same upload wait for its outcome, or take over from a server that died. */
async function completeOnce(control: Control, work: Work): Promise<Completed> {
  const patientUntil = performance.now() + 3 * control.settings.verifyLeaseMs;
  for (let pauseMs = 25; ; pauseMs = Math.min(500, pauseMs * 2)) {
    const claim = await claimUpload(control, work.artifact, work.actor);
    if (claim.state === "stored") return toDuplicate(control, claim.artifact, work.completion);
    const stored =
      claim.state === "claimed" ? await verifyClaimed(control, { ...work, artifact: claim.artifact }) : undefined;
    if (stored) return { artifact: stored, duplicate: false };
    if (performance.now() > patientUntil) throw stillVerifying();
    await sleep(pauseMs);
  }
}

const stillVerifying = (): AetherError =>
  new AetherError("service_unavailable", "Another request is still verifying these bytes.", {
    hint: "Complete the upload again in a moment.",
  });

/** The stored artifact; undefined when another server took over meanwhile, so that its outcome counts. */
async function verifyClaimed(control: Control, { artifact, completion, actor }: Work): Promise<Artifact | undefined> {
  const claim = holdClaim(control, artifact);
  let verdict: Verdict;
  try {
    verdict = await verifyObject(control, artifact, completion);
  } catch (error) {
    await returnToPending(control, await claim.end(), { actor, isBad: false });
    throw error;
  }
  const held = await claim.end();
  if ("refused" in verdict) {
    await returnToPending(control, held, { actor, isBad: true });
    throw verdict.refused;
  }
  crashPoint("verified");
  const stored = await store(control, held, { completion, verdict, actor });
  if (stored instanceof AetherError) {
    await dropUpload(control, held, actor);
    throw stored;
  }
  crashPoint("artifact-stored");
  if (stored) measure(control, stored);
  return stored;
}

interface Storing {
  completion: Completion;
  verdict: { sizeBytes: number; verified: boolean };
  actor: Actor;
}

/** `verifying → stored`, unless the quota forbids it. The app's row is locked, so that no two completes both fit. */
function store(control: Control, held: Artifact, { completion, verdict, actor }: Storing) {
  const work = async (tx: Tx): Promise<Artifact | AetherError | undefined> => {
    const app = await lockApp(tx, held.appId);
    if (!(await lockHeld(tx, held))) return undefined;
    const { digest } = completion;
    const problem = await quotaProblem(control, tx, { app, digest, sizeBytes: verdict.sizeBytes, reserving: false });
    if (problem) return problem;
    const at = control.now();
    const [artifact] = await tx
      .update(artifacts)
      .set({ ...verdict, status: "stored", completedAt: at, expiresAt: null, uploadId: null, claimedUntil: null })
      .where(eq(artifacts.id, held.id))
      .returning();
    if (artifact) await recordArtifact(control, tx, { actor, artifact, before: held.status, at });
    return artifact;
  };
  return transact(control, work, { repeatable: true });
}

/** What the quota refused takes no room, in the database or in storage. */
async function dropUpload(control: Control, held: Artifact, actor: Actor): Promise<void> {
  const given = await transact(control, async (tx) => {
    const artifact = await lockHeld(tx, held);
    return artifact && giveUp(control, tx, { artifact, actor });
  });
  if (given) await removeBytes(control, given);
}

function measure({ metrics }: Control, { sizeBytes, presignedAt, completedAt }: Artifact): void {
  metrics.artifactsMade.inc();
  metrics.uploadBytes.inc(sizeBytes ?? 0);
  if (presignedAt && completedAt) {
    metrics.uploadDuration.observe(Math.max(0, completedAt.getTime() - presignedAt.getTime()) / 1000);
  }
}

function toDuplicate({ settings }: Control, artifact: Artifact, { sizeBytes }: Completion): Completed {
  if (!settings.verifyRemoteSize || artifact.sizeBytes === sizeBytes) return { artifact, duplicate: true };
  throw new AetherError(
    "size_mismatch",
    `This artifact has ${artifact.sizeBytes} bytes, and ${sizeBytes} were announced.`,
  );
}
