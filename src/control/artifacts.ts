import { and, desc, eq } from "drizzle-orm";
import type { Digest } from "../core/digest.ts";
import { apps, artifacts } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import type { Audience, SignedRequest } from "../storage/storage.ts";
import type { Control } from "./control.ts";
import type { Page } from "./page.ts";
import { inScope, type Scope } from "./scope.ts";
import type { Artifact } from "./uploads.ts";

export interface NamedArtifact {
  app: string;
  artifact: Artifact;
}

/** Stored artifacts, newest first; nothing unfinished is visible. */
export async function listArtifacts(
  { db }: Control,
  { scope, limit, offset }: Page & { scope?: Scope },
): Promise<NamedArtifact[]> {
  const rows = await db
    .select({ app: apps.name, artifact: artifacts })
    .from(artifacts)
    .innerJoin(apps, eq(apps.id, artifacts.appId))
    .where(and(eq(artifacts.status, "stored"), inScope(scope)))
    .orderBy(desc(artifacts.completedAt), desc(artifacts.id))
    .limit(limit)
    .offset(offset);
  return rows;
}

/** A stored artifact of any app in the scope: the bytes are equal. */
export async function getStoredArtifact(
  { db }: Pick<Control, "db">,
  digest: Digest,
  scope: Scope,
): Promise<NamedArtifact> {
  const [found] = await db
    .select({ app: apps.name, artifact: artifacts })
    .from(artifacts)
    .innerJoin(apps, eq(apps.id, artifacts.appId))
    .where(and(eq(artifacts.digest, digest), eq(artifacts.status, "stored"), inScope(scope)))
    .orderBy(artifacts.completedAt)
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
): Promise<SignedRequest> {
  const { artifact } = await getStoredArtifact(control, digest, scope);
  return control.storage.presignGet(artifact.storageKey, {
    expiresSeconds: control.settings.presignExpireSeconds,
    audience,
  });
}
