import { and, count, eq, ne, or, sql, sum } from "drizzle-orm";
import type { Digest } from "../core/digest.ts";
import type { Tx } from "../db/client.ts";
import { artifacts } from "../db/schema.ts";
import { formatBytes } from "../lib/bytes.ts";
import { AetherError } from "../lib/errors.ts";
import type { App } from "./apps.ts";
import type { Control } from "./control.ts";

export interface QuotaQuestion {
  /** Locked by this transaction, so that no two decide at once. */
  app: App;
  digest: Digest;
  sizeBytes: number | undefined;
  /** Whether other uploads under way count as well: they do before bytes are sent, and not when these are there. */
  reserving: boolean;
}

/** Why the app has no room for one more artifact of that size; undefined when it has. */
export async function quotaProblem(
  control: Control,
  tx: Tx,
  { app, digest, sizeBytes = 0, reserving }: QuotaQuestion,
): Promise<AetherError | undefined> {
  const maxArtifacts = app.maxArtifacts ?? control.settings.maxArtifactsPerApp ?? Number.POSITIVE_INFINITY;
  const maxBytes = app.maxTotalBytes ?? control.settings.maxTotalBytesPerApp ?? Number.POSITIVE_INFINITY;
  if (maxArtifacts === Number.POSITIVE_INFINITY && maxBytes === Number.POSITIVE_INFINITY) return undefined;
  const used = await usage(control, tx, { app, digest, reserving });
  const kind = reserving ? "stored and pending artifacts" : "stored artifacts";
  if (used.artifacts + 1 > maxArtifacts) {
    const why = `has ${used.artifacts} ${kind} besides this one, and may have ${maxArtifacts}`;
    return exceeded(control, app, { why, raise: `--max-artifacts ${used.artifacts + 1}` });
  }
  if (used.bytes + sizeBytes > maxBytes) {
    const free = formatBytes(Math.max(0, maxBytes - used.bytes));
    const why = `has ${free} left of ${formatBytes(maxBytes)}, and this is ${formatBytes(sizeBytes)}`;
    return exceeded(control, app, { why, raise: `--max-total-bytes ${used.bytes + sizeBytes}` });
  }
  return undefined;
}

async function usage(
  { now }: Control,
  tx: Tx,
  { app, digest, reserving }: Pick<QuotaQuestion, "app" | "digest" | "reserving">,
): Promise<{ artifacts: number; bytes: number }> {
  const underWay = sql`${artifacts.status} in ('pending', 'verifying') and ${artifacts.expiresAt} > ${now().toISOString()}`;
  const [used] = await tx
    .select({ artifacts: count(), bytes: sum(artifacts.sizeBytes).mapWith(Number) })
    .from(artifacts)
    .where(
      and(
        eq(artifacts.appId, app.id),
        ne(artifacts.digest, digest),
        or(eq(artifacts.status, "stored"), reserving ? underWay : undefined),
      ),
    );
  return { artifacts: used?.artifacts ?? 0, bytes: used?.bytes ?? 0 };
}

function exceeded({ metrics }: Control, { name }: App, { why, raise }: { why: string; raise: string }): AetherError {
  metrics.quotaExceeded.inc();
  return new AetherError("quota_exceeded", `The app "${name}" ${why}.`, {
    hint:
      `An admin can raise the quota with aether apps set ${name} ${raise} or more. ` +
      `Uploads that nobody completes are given up with DELETE /artifacts/<digest>/upload?app=${name}.`,
  });
}
