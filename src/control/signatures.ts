import { eq, type SQL, sql } from "drizzle-orm";
import type { Digest } from "../core/digest.ts";
import { findSigner } from "../core/verify-signature.ts";
import type { Queryable, Tx } from "../db/client.ts";
import { artifacts } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { getApp } from "./apps.ts";
import { recordTransition } from "./audit.ts";
import { type Completion, completeUpload } from "./completion.ts";
import type { Actor, Control } from "./control.ts";
import { activeKeys } from "./keys.ts";
import type { Artifact } from "./uploads.ts";

/** A signature, and the app's public key that it was verified with. */
export interface Signed {
  signature: string;
  signedBy: string;
}

/** In a select from `artifacts`: whether the key that signed is active now. This is what the API calls `verified`. */
export const isVerifiedNow: SQL<boolean> = sql<boolean>`exists (select 1 from public_keys where public_keys.app_id = "artifacts"."app_id" and public_keys.public_key_hex = "artifacts"."signed_by" and public_keys.active)`;

/** The signature with its key, or `signature_invalid` when none of the app's active keys made it. */
export async function verifySignature(
  db: Queryable,
  { app, digest, signature }: { app: string; digest: Digest; signature: string },
): Promise<Signed> {
  const { id } = await getApp(db, app);
  const keys = await activeKeys(db, id);
  const signedBy = await findSigner(digest, signature, keys);
  if (signedBy !== undefined) return { signature, signedBy };
  const message =
    keys.length === 0
      ? `The app "${app}" has no active public key, so no signature counts for it.`
      : `The signature was not made over this digest by an active public key of the app "${app}".`;
  throw new AetherError("signature_invalid", message, {
    hint: `Register the public key with aether keys add --app ${app}, or sign with the right AETHER_SIGNING_KEY.`,
  });
}

/** Completes an upload that may bring a signature; a wrong one is refused before anything is claimed. */
export async function completeSigned(
  control: Control,
  { signature, ...completion }: Completion & { signature?: string | undefined },
  actor: Actor,
): Promise<{ artifact: Artifact; duplicate: boolean; verified: boolean }> {
  const { app, digest } = completion;
  const signed = signature === undefined ? undefined : await verifySignature(control.db, { app, digest, signature });
  const { artifact, duplicate } = await completeUpload(control, completion, actor);
  // A crash in between leaves a stored artifact without its signature: completing again brings it.
  if (signed) {
    const at = control.now();
    await control.db.transaction((tx) => attachSignature(tx, artifact, { signed, actor, at }));
  }
  const signedBy = signed?.signedBy ?? artifact.signedBy;
  const verified = signedBy !== null && (await activeKeys(control.db, artifact.appId)).includes(signedBy);
  return { artifact, duplicate, verified };
}

/** Keeps a verified signature beside its artifact, in place of an older one; false when it was there already. */
export async function attachSignature(
  tx: Tx,
  { id, appId, digest, ...before }: Artifact,
  { signed, actor, at }: { signed: Signed; actor: Actor; at: Date },
): Promise<boolean> {
  if (before.signature === signed.signature && before.signedBy === signed.signedBy) return false;
  await tx.update(artifacts).set(signed).where(eq(artifacts.id, id));
  const detail = { digest, signed_by: signed.signedBy };
  await recordTransition(tx, actor, { subject: "artifact", id, appId, before: "stored", after: "signed", at, detail });
  return true;
}

/** The gate of AETHER_REQUIRE_SIGNATURE: `signature_required` unless a key that is active now has signed. */
export function assertSigned(
  { settings }: Control,
  { artifact, verified }: { artifact: Pick<Artifact, "digest" | "signature" | "signedBy">; verified: boolean },
): void {
  if (!settings.requireSignature || verified) return;
  const why =
    artifact.signature === null
      ? "is not signed"
      : `was signed with the public key ${artifact.signedBy}, which has been revoked`;
  throw new AetherError("signature_required", `The artifact ${artifact.digest} ${why}, and this server demands it.`, {
    hint: "Deploy it with AETHER_SIGNING_KEY set to a key that is registered for the app (aether keys list).",
  });
}
