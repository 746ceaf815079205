import { and, between, desc, eq } from "drizzle-orm";
import type { Digest } from "../core/digest.ts";
import type { Queryable } from "../db/client.ts";
import { apps, artifacts } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import type { Audience, SignedRequest } from "../storage/storage.ts";
import type { Control } from "./control.ts";
import type { Page } from "./page.ts";
import { inScope, type Scope } from "./scope.ts";
import { assertSigned, isVerifiedNow } from "./signatures.ts";
import type { Artifact } from "./uploads.ts";

export interface NamedArtifact {
  app: string;
  artifact: Artifact;
  /** An active public key of the app has signed it. */
  verified: boolean;
}

/** Stored artifacts, newest first; nothing unfinished is visible. */
export async function listArtifacts(
  { db }: Control,
  { scope, digestPrefix, limit, offset }: Page & { scope?: Scope; digestPrefix?: string | undefined },
): Promise<NamedArtifact[]> {
  const rows = await db
    .select({ app: apps.name, artifact: artifacts, verified: isVerifiedNow })
    .from(artifacts)
    .innerJoin(apps, eq(apps.id, artifacts.appId))
    .where(and(eq(artifacts.status, "stored"), inScope(scope), beginsWith(digestPrefix)))
    .orderBy(desc(artifacts.completedAt), desc(artifacts.id))
    .limit(limit)
    .offset(offset);
  return rows;
}

/** As a range, which an index serves in any collation. */
const beginsWith = (prefix: string | undefined) =>
  prefix === undefined ? undefined : between(artifacts.digest, prefix.padEnd(64, "0"), prefix.padEnd(64, "f"));

/** A stored artifact of any app in the scope: the bytes are equal. */
export async function getStoredArtifact(
  { db }: { db: Queryable },
  digest: Digest,
  scope: Scope,
): Promise<NamedArtifact> {
  const [found] = await db
    .select({ app: apps.name, artifact: artifacts, verified: isVerifiedNow })
    .from(artifacts)
    .innerJoin(apps, eq(apps.id, artifacts.appId))
    .where(and(eq(artifacts.digest, digest), eq(artifacts.status, "stored"), inScope(scope)))
    .orderBy(desc(isVerifiedNow), artifacts.completedAt)
    .limit(1);
  if (found) return found;
  throw new AetherError("not_found", `There is no stored artifact ${digest}.`, {
    hint: "Deploy it first with aether deploy.",
  });
}

/** A fresh signed GET for a stored artifact: the one gate that every pod and every download passes. */
export async function presignDownload(
  control: Control,
  digest: Digest,
  { scope, audience }: { scope: Scope; audience: Audience },
): Promise<SignedRequest & { signature: string | null }> {
  const found = await getStoredArtifact(control, digest, scope);
  assertSigned(control, found);
  const { storageKey, signature } = found.artifact;
  const signed = await control.storage.presignGet(storageKey, {
    expiresSeconds: control.settings.presignExpireSeconds,
    audience,
  });
  return { ...signed, signature };
}
