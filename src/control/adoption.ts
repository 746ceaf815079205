import { desc, eq } from "drizzle-orm";
import { deployments } from "../db/schema.ts";
import type { AnnotatedDigest } from "../runtime/runtime.ts";
import { lockAppNamed } from "./app-lock.ts";
import { getStoredArtifact } from "./artifacts.ts";
import type { Actor, Control } from "./control.ts";
import { insertDeployment } from "./deployment-row.ts";
import { type Deployment, findLatest } from "./deployments.ts";
import { assertLive } from "./live-app.ts";
import { assertUnlocked } from "./locks.ts";
import { openReleaseVariables } from "./release-variables.ts";
import { assertSigned } from "./signatures.ts";
import { transact } from "./transactions.ts";

/** Whoever annotates a Deployment is known to the cluster, and not to us. */
const kubectl: Actor = { name: "kubectl" };

/**
 * Makes what somebody told the pods of a dev-hot app to run a deployment of its own, as if it had been asked of us: a stored
 * artifact of that app, signed where that is demanded. Undefined: it is wanted already, or was tried last and failed.
 */
export function adoptDigest(control: Control, { app: name, digest }: AnnotatedDigest): Promise<Deployment | undefined> {
  return transact(
    control,
    async (tx) => {
      const app = assertLive(await lockAppNamed(tx, name));
      const latest = await findLatest(tx, app);
      const [last] = await tx
        .select({ digest: deployments.digest })
        .from(deployments)
        .where(eq(deployments.appId, app.id))
        .orderBy(desc(deployments.version))
        .limit(1);
      if (!latest?.devHot || latest.digest === digest || last?.digest === digest) return undefined;
      assertUnlocked(app);
      const found = await getStoredArtifact({ db: tx }, digest, [app.name]);
      assertSigned(control, found);
      const { config, replicas } = latest;
      const variables = await openReleaseVariables({ db: tx, secrets: control.secrets }, latest.id);
      const wanted = { app, artifact: found.artifact, config, replicas, variables, devHot: true };
      return insertDeployment(control, tx, { ...wanted, origin: "deploy", actor: kubectl });
    },
    { repeatable: true },
  );
}
