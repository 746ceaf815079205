import { and, inArray, isNull, or } from "drizzle-orm";
import type { DeploymentFailure } from "../core/deployment.ts";
import { apps } from "../db/schema.ts";
import { crashPoint } from "../lib/crash-point.ts";
import { AetherError, messageOf } from "../lib/errors.ts";
import type { AnnotatedDigest, Release, RuntimeEvent } from "../runtime/runtime.ts";
import { adoptDigest } from "./adoption.ts";
import type { Control } from "./control.ts";
import { markFailed, markRunning } from "./deployment-transitions.ts";
import { listWanted, type WantedDeployment } from "./deployments.ts";
import { activeKeysOf } from "./keys.ts";
import { pinsOf } from "./late-pins.ts";
import { openReleaseVariables } from "./release-variables.ts";

/** Makes the runtime converge to the deployments in the database, and writes down its verdicts. */
export interface Rollouts {
  /** Applies what the database wants; called at the start, after each new deployment, and from time to time. */
  reconcile(): Promise<void>;
  /** Stops an app whose removal has begun, after whatever is being applied. */
  remove(app: string): Promise<void>;
  /** Waits for the verdicts that are being written. */
  settle(): Promise<void>;
}

/** Starts the runtime and returns the loop's handle; nothing is applied before `reconcile`. */
export async function startRollouts(control: Control): Promise<Rollouts> {
  const { runtime, log } = control;
  /** Deployments that the runtime was given, with the public keys and the number of replicas it was given for them. */
  const applied = new Map<string, { app: string; keys: string; replicas: number }>();
  /** The apps that this process had the runtime run, by their id: a name may come back as another app. */
  const given = new Map<string, string>();
  let writing: Promise<void> = Promise.resolve();
  let reconciling: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;

  async function write(event: RuntimeEvent): Promise<void> {
    crashPoint("verdict-heard");
    try {
      if (event.type === "running") await markRunning(control, event.deploymentId);
      else await fail(event.deploymentId, event.failure);
      control.events.nudge();
      log.info(`deployment ${event.type}`, { app: event.app, deployment: event.deploymentId, ...reasonOf(event) });
    } catch (error) {
      // The row stays pending; the next reconcile applies it again and the runtime repeats its verdict.
      applied.delete(event.deploymentId);
      log.error("a verdict could not be written", { deployment: event.deploymentId, error });
    }
  }

  /** What runs is applied again where that was asked for: a runtime may have been changed to the release that failed. */
  async function fail(id: string, failure: DeploymentFailure): Promise<void> {
    const restored = await markFailed(control, id, failure);
    if (restored === undefined) return;
    applied.delete(restored.id);
    log.info("a release failed, and what ran is wanted again", { deployment: id, version: restored.version });
    reconcile().catch((error: unknown) => log.error("what ran could not be applied, it is tried again", { error }));
  }

  async function apply(
    named: WantedDeployment,
    { publicKeys, followed }: { publicKeys: string[] | undefined; followed: boolean },
  ): Promise<void> {
    const { app, replicas } = named;
    const { id, appId } = named.deployment;
    const keys = String(publicKeys);
    const before = applied.get(id);
    if (before?.keys === keys && before.replicas === replicas) return;
    applied.set(id, { app, keys, replicas });
    given.set(appId, app);
    try {
      if (before?.keys === keys) return await runtime.scale(app, replicas);
      await runtime.apply(
        { ...(await toRelease(control, named)), ...(publicKeys ? { publicKeys } : {}) },
        { followed },
      );
    } catch (error) {
      applied.delete(id);
      log.error("a release could not be applied", { app, deployment: id, error });
      if (error instanceof AetherError && named.deployment.status === "pending") {
        await fail(id, { reason: "admission_denied", message: messageOf(error), log: [] });
      }
    }
  }

  async function reconcileOnce(): Promise<void> {
    const wanted = await listWanted(control);
    const ids = new Set(wanted.map(({ deployment }) => deployment.id));
    for (const [id, { app }] of applied) {
      if (ids.has(id)) continue;
      await runtime.withdraw?.(app, id);
      applied.delete(id);
    }
    await removeGone(new Set(wanted.map(({ deployment }) => deployment.appId)));
    const keys = await demandedKeys(wanted);
    const newest = new Map(wanted.map(({ deployment }) => [deployment.appId, deployment.id]));
    for (const named of wanted) {
      const { id, appId } = named.deployment;
      await apply(named, { publicKeys: keys && (keys.get(appId) ?? []), followed: newest.get(appId) !== id });
    }
  }

  /** Of each app, where signatures are demanded. */
  function demandedKeys(wanted: WantedDeployment[]): Promise<Map<string, string[]>> | undefined {
    if (!control.settings.requireSignature) return undefined;
    return activeKeysOf(control.db, [...new Set(wanted.map(({ deployment }) => deployment.appId))]);
  }

  /** Stops what another server was asked to delete: it reached its own runtime only. */
  async function removeGone(wanted: Set<string>): Promise<void> {
    const missing = [...given.keys()].filter((id) => !wanted.has(id));
    if (missing.length === 0) return;
    const names = missing.map((id) => given.get(id) ?? "");
    const isLive = and(or(inArray(apps.id, missing), inArray(apps.name, names)), isNull(apps.deletingAt));
    const found = await control.db.select({ id: apps.id, name: apps.name }).from(apps).where(isLive);
    const live = new Set(found.map(({ id }) => id));
    const taken = new Set(found.map(({ name }) => name));
    for (const [id, app] of given) {
      if (!missing.includes(id) || live.has(id)) continue;
      try {
        await (taken.has(app) && runtime.forget ? runtime.forget(app) : runtime.remove(app));
        given.delete(id);
      } catch (error) {
        log.error("an app that was deleted could not be stopped, it is tried again", { app, error });
      }
    }
  }

  async function remove(app: string): Promise<void> {
    await runtime.remove(app);
    for (const [id, name] of given) if (name === app) given.delete(id);
  }

  function reconcile(): Promise<void> {
    // One that has not begun yet will see what this caller wrote, too: a hundred deployments need two, not a hundred.
    next ??= reconciling
      .catch(() => {})
      .then(() => {
        next = undefined;
        return reconcileOnce();
      });
    reconciling = next;
    return reconciling;
  }

  /** What cannot be adopted is said, and left alone: the pods have their own verdict on it. */
  async function adopt(told: AnnotatedDigest): Promise<void> {
    try {
      const adopted = await adoptDigest(control, told);
      if (adopted === undefined) return;
      log.info("a digest that somebody annotated is a deployment now", { ...told, version: adopted.version });
      control.events.nudge();
      reconcile().catch((error: unknown) => log.error("it could not be applied, it is tried again", { error }));
    } catch (error) {
      if (!(error instanceof AetherError)) throw error;
      log.warn("a digest that somebody annotated is not adopted", { ...told, why: messageOf(error) });
    }
  }

  await runtime.start(
    (event) => {
      writing = writing.then(() => write(event));
    },
    (told) => {
      writing = writing
        .then(() => adopt(told))
        .catch((error: unknown) => log.error("adopting failed", { ...told, error }));
    },
  );
  return {
    reconcile,
    remove: (app) => {
      const removed = reconciling.catch(() => {}).then(() => remove(app));
      reconciling = removed;
      return removed;
    },
    settle: async () => {
      await reconciling.catch(() => {});
      await writing;
    },
  };
}

function reasonOf(event: RuntimeEvent): Record<string, unknown> {
  return event.type === "failed" ? { reason: event.failure.reason, why: event.failure.message } : {};
}

async function toRelease(control: Control, wanted: WantedDeployment): Promise<Release> {
  const { settings } = control;
  const { app, deployment, replicas } = wanted;
  const pins = await pinsOf(control, wanted);
  return {
    app,
    deploymentId: deployment.id,
    version: deployment.version,
    digest: deployment.digest,
    downloadUrl: `${settings.internalUrl}/artifacts/${deployment.digest}/download?app=${app}`,
    ...(deployment.config === null ? {} : { config: deployment.config }),
    replicas,
    devHot: deployment.devHot,
    established: deployment.status === "running",
    env: await openReleaseVariables(control, deployment.id),
    ...(pins === null ? {} : { pins }),
  };
}
