import { isDeepStrictEqual } from "node:util";
import { and, desc, eq, isNotNull, lt } from "drizzle-orm";
import type { Tx } from "../db/client.ts";
import { deployments } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { lockAppNamed } from "./app-lock.ts";
import { readVariables, writeVariables } from "./app-variables.ts";
import type { App } from "./apps.ts";
import type { Actor, Control } from "./control.ts";
import type { CreatedDeployment } from "./deployment-creation.ts";
import { findRepeated } from "./deployment-keys.ts";
import { type Deployment, deploymentColumns, findLatest } from "./deployments.ts";
import { assertLive } from "./live-app.ts";
import { assertUnlocked } from "./locks.ts";
import { haveSameVariables, openReleaseVariables, type Variables } from "./release-variables.ts";
import { repeatRelease } from "./repeated-release.ts";
import { transact } from "./transactions.ts";

export interface Rollback {
  app: string;
  /** Default: the last one before what runs that ran and is another release. */
  version?: number | undefined;
  /** Also to one that never ran. */
  force?: boolean | undefined;
  idempotencyKey?: string | undefined;
}

/** Artifact, configuration and variables of an earlier release, as a new one; the app's variables become those as well. */
export function rollBack(control: Control, wanted: Rollback, actor: Actor): Promise<CreatedDeployment> {
  const work = async (tx: Tx): Promise<CreatedDeployment> => {
    const app = assertLive(await lockAppNamed(tx, wanted.app));
    const earlier = await findRepeated(tx, app, { key: wanted.idempotencyKey, isSame: isSame(wanted) });
    if (earlier) return { ...earlier, replayed: true };
    assertUnlocked(app);
    const latest = await findLatest(tx, app);
    const current = latest && (await withVariables(control, tx, latest));
    const target =
      wanted.version === undefined
        ? await findPrevious(control, tx, { app, current })
        : await getVersion(control, tx, { app, current, version: wanted.version, force: wanted.force ?? false });
    const { release, variables } = target;
    const deployment = await repeatRelease(control, tx, {
      app,
      release,
      variables,
      origin: "rollback",
      originVersion: release.version,
      idempotencyKey: wanted.idempotencyKey,
      actor,
    });
    const before = await readVariables({ db: tx, secrets: control.secrets }, app.id);
    await writeVariables(control, tx, { app, before, after: variables, actor });
    return { ...deployment, replayed: false };
  };
  return transact(control, work, { repeatable: wanted.idempotencyKey !== undefined });
}

/** A release with what it was made with. */
interface Known {
  release: Deployment;
  variables: Variables;
}

async function withVariables({ secrets }: Control, tx: Tx, release: Deployment): Promise<Known> {
  return { release, variables: await openReleaseVariables({ db: tx, secrets }, release.id) };
}

async function findPrevious(
  control: Control,
  tx: Tx,
  { app, current }: { app: App; current: Known | undefined },
): Promise<Known> {
  const ran = and(
    eq(deployments.appId, app.id),
    eq(deployments.devHot, false),
    isNotNull(deployments.runningAt),
    current && lt(deployments.version, current.release.version),
  );
  const candidates = await tx
    .select(deploymentColumns)
    .from(deployments)
    .where(ran)
    .orderBy(desc(deployments.version))
    .limit(200);
  for (const release of candidates) {
    const known = await withVariables(control, tx, release);
    if (current === undefined || !isSameRelease(known, current)) return known;
  }
  throw new AetherError("conflict", `No other release of "${app.name}" ever ran: there is nothing to return to.`, {
    hint: `aether releases ${app.name} shows them.`,
  });
}

async function getVersion(
  control: Control,
  tx: Tx,
  { app, current, version, force }: { app: App; current: Known | undefined; version: number; force: boolean },
): Promise<Known> {
  const [release] = await tx
    .select(deploymentColumns)
    .from(deployments)
    .where(and(eq(deployments.appId, app.id), eq(deployments.version, version), eq(deployments.devHot, false)));
  if (release === undefined) {
    throw new AetherError("not_found", `The app "${app.name}" has no release v${version}.`, {
      hint: `aether releases ${app.name} shows which there are.`,
    });
  }
  const known = await withVariables(control, tx, release);
  if (current && isSameRelease(known, current)) throw runsNow(app, release, current.release);
  if (release.runningAt === null && !force) {
    throw new AetherError("conflict", `v${version} of "${app.name}" never ran (it is ${release.status}).`, {
      hint: "Choose one that did, or say --force to try it all the same.",
    });
  }
  return known;
}

function runsNow(app: App, release: Deployment, current: Deployment): AetherError {
  const doing = current.status === "running" ? "runs now" : "is being released now";
  const as = release.id === current.id ? "" : `, as v${current.version}`;
  return new AetherError("conflict", `v${release.version} of "${app.name}" is what ${doing}${as}.`, {
    hint: `To start it anew: aether restart ${app.name}`,
  });
}

/** The same code, configuration and variables, however it came about. */
function isSameRelease(a: Known, b: Known): boolean {
  return (
    a.release.artifactId === b.release.artifactId &&
    isDeepStrictEqual(a.release.config, b.release.config) &&
    haveSameVariables(a.variables, b.variables)
  );
}

const isSame =
  ({ version }: Rollback) =>
  ({ origin, originVersion }: Deployment): boolean =>
    origin === "rollback" && (version === undefined || originVersion === version);
