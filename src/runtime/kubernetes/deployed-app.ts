import type { DeploymentFailure } from "../../core/deployment.ts";
import type { Digest } from "../../core/digest.ts";
import { hotAnnotations } from "../../core/pod-hot.ts";
import type { AppRelease } from "../../k8s/builders/app-release.ts";
import { objects } from "../../k8s/builders/objects.ts";
import type { Cluster } from "../../k8s/cluster.ts";
import { crashPoint } from "../../lib/crash-point.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Release, RuntimeEvent } from "../runtime.ts";
import { type Applied, applyObjects, isRefusal } from "./apply-objects.ts";
import { autoscaledReplicas } from "./autoscaled-replicas.ts";
import { driftOf } from "./drift.ts";
import { podsOf } from "./hot-verdict.ts";
import { nodeProblem } from "./image.ts";
import { logReader } from "./logs.ts";
import { type ClusterSettings, newPins, type Pins, parsePins, toAppRelease } from "./pins.ts";
import { pruneObjects } from "./prune-objects.ts";
import { toFailure } from "./refusal.ts";
import { annotatedDigest, tellDigest } from "./tell-digest.ts";
import { type Judgement, judge, type ReleaseView } from "./verdict.ts";
import { createWorker } from "./worker.ts";
import type { World, WorldChange } from "./world.ts";

export interface DeployedAppOptions {
  app: string;
  cluster: Cluster;
  world: World;
  settings: ClusterSettings;
  log: Logger;
  emit: (event: RuntimeEvent) => void;
  /** Somebody has annotated another digest for the pods of a dev-hot release. */
  onAnnotated: (digest: Digest) => void;
  /** A release has its verdict: what an old one needed may go. */
  onSettled: () => void;
  /** How long is waited for what may come by itself. */
  patienceMs: number;
}

/** One application on the cluster: the release that is wanted there, and what is known of it. */
export interface DeployedApp {
  apply(release: Release, followed: boolean): void;
  withdraw(deploymentId: string): void;
  scale(replicas: number): void;
  /** Something of it changed in the cluster. */
  changed(change: WorldChange): void;
  /** Time has passed. */
  tick(): void;
  /** Makes the cluster as it ought to be, whatever was done to it. */
  repair(): void;
  /** What is wanted now, as the builders get it. */
  wanted(): AppRelease[];
  /** The one that serves, or did before it was scaled to nothing. */
  served(): AppRelease | undefined;
  close(): Promise<void>;
}

interface Candidate {
  release: Release;
  pins: Pins;
  /** Milliseconds since 1970. */
  begunAt: number;
}

type Failed = Extract<Judgement, { is: "failed" }>;

/** The next release is applied at once; until then the one that runs is not applied again. */
const followedWithinMs = 5_000;
/** Another server put another release there, or removed it: it knows more, most likely, and the database soon tells us. */
const foreignMs = 15_000;
const refusedMs = 30_000;

/**
 * A Deployment holds one release. While a new one is pending, that is it, and Kubernetes keeps the old pods until a new one
 * serves. When it fails, the one that ran is applied again, so that nothing crashes for ever; without one, no replica is left.
 */
export function createDeployedApp(options: DeployedAppOptions): DeployedApp {
  const { app, cluster, world, settings, emit, patienceMs } = options;
  const log = options.log.with({ app });
  const closing = new AbortController();
  const worker = createWorker(converge, closing.signal);
  let settled: Candidate | undefined;
  let pending: Candidate | undefined;
  /** It failed, and nothing ran before: it is kept at no replica. */
  let parked: Candidate | undefined;
  let failed: { deploymentId: string; digest: Digest; failure: DeploymentFailure } | undefined;
  let applied: { candidate: Candidate; objects: Applied[] } | undefined;
  let isJudging = false;
  let yieldsUntil = Number.NEGATIVE_INFINITY;
  /** What is told when the cluster was given what follows from it. */
  const verdicts: RuntimeEvent[] = [];
  /** What changed while objects were applied: only afterwards can our own changes be told from those of others. */
  const unseen: WorldChange[] = [];
  let isApplying = false;
  const fetchLogs = new Map<string, string[]>();
  const read = logReader(cluster, { namespace: settings.namespace, log });

  const target = (): Candidate | undefined => pending ?? settled ?? parked;
  const isYielding = (): boolean => performance.now() < yieldsUntil;

  async function converge(): Promise<void> {
    const candidate = target();
    isApplying = true;
    try {
      if (candidate) await applyCandidate(candidate);
    } catch (error) {
      if (closing.signal.aborted) return;
      if (!isRefusal(error)) throw retried(error);
      if (candidate && candidate === pending) fail(candidate, toFailure(error));
      else refusedAgain(error);
    } finally {
      isApplying = false;
      if (!worker.isDue()) for (const verdict of verdicts.splice(0)) emit(verdict);
    }
    for (const change of unseen.splice(0)) mend(change);
    judgeNow();
  }

  async function applyCandidate(candidate: Candidate): Promise<void> {
    await world.ready();
    if (candidate === parked && world.deployment(app) === undefined) return; // nothing that could be stopped
    const release = await counted(toRelease(candidate));
    const made = objects(release);
    const done = await applyObjects(cluster, made, { app, signal: closing.signal });
    applied = { candidate, objects: release.devHot ? await withDigest(done, release) : done };
    crashPoint("release-applied");
    await pruneObjects(cluster, made, { namespace: settings.namespace, app });
    log.debug("applied", { version: release.version, digest: release.digest });
  }

  async function withDigest(objects: Applied[], release: AppRelease): Promise<Applied[]> {
    const isNew = pending?.release.deploymentId === release.deploymentId;
    const told = await tellDigest(cluster, release, { isNew, signal: closing.signal });
    if ("annotated" in told) adopt(told.annotated);
    return objects.map((one) => (one.kind === "Deployment" && "resourceVersion" in told ? { ...one, ...told } : one));
  }

  /** One that has failed is left alone: its pods do so as well. */
  function adopt(annotated = ""): void {
    const digest = annotatedDigest(annotated);
    if (digest === undefined) log.warn("somebody annotated what is no digest", { annotated: annotated.slice(0, 100) });
    else if (digest !== target()?.release.digest && digest !== failed?.digest) options.onAnnotated(digest);
  }

  function toRelease(candidate: Candidate): AppRelease {
    const release = toAppRelease(candidate.release, { pins: candidate.pins, settings, isKept: world.hasAgent });
    return candidate === parked ? { ...release, replicas: 0 } : release;
  }

  async function counted(release: AppRelease): Promise<AppRelease> {
    if (release.replicas === 0 || !world.isAutoscaled(app)) return release;
    return { ...release, replicas: await autoscaledReplicas(cluster, { namespace: settings.namespace, name: app }) };
  }

  function mend(change: WorldChange): void {
    const wanted = target();
    if (applied === undefined || applied.candidate !== wanted) return;
    const { deploymentId, digest, devHot } = wanted.release;
    const hotDigest = devHot ? digest : undefined;
    const drift = driftOf(change, { applied: applied.objects, deploymentId, hotDigest });
    if (drift === undefined) return;
    if (drift === "annotated") {
      adopt(change.metadata?.annotations?.[hotAnnotations.digest]);
      return;
    }
    log.info("somebody changed what was applied", { kind: change.kind, drift });
    if (drift === "foreign") yieldsUntil = performance.now() + foreignMs;
    if (isYielding()) worker.wake(foreignMs);
    else worker.wakeGently();
  }

  /** A quota or a namespace may be mended by somebody. */
  function refusedAgain(error: unknown): void {
    log.error("the cluster refuses a release that ran, it is tried again", { error, retryMs: refusedMs });
    worker.wake(refusedMs);
  }

  function retried(error: unknown): unknown {
    log.warn("the cluster could not be given a release, it is tried again", { why: messageOf(error) });
    return error;
  }

  function judgeNow(): void {
    if (pending === undefined || applied?.candidate !== pending || isJudging) return;
    const judgement = judge(viewOf(pending), { now: Date.now(), forMs: patienceMs });
    if (judgement.is === "running") settle(pending);
    else if (judgement.is === "failed") void conclude(pending, judgement);
    else if (judgement.readFetchLogOf !== undefined) void readFetchLog(judgement.readFetchLogOf);
  }

  function viewOf(candidate: Candidate): ReleaseView {
    const release = toRelease(candidate);
    const isOf = ({ metadata }: { metadata?: { annotations?: Record<string, string> } }) =>
      metadata?.annotations?.["aether.dev/deployment"] === podsOf(release);
    const pods = world.pods(app).filter(isOf);
    return {
      release,
      begunAt: candidate.begunAt,
      deployment: world.deployment(app),
      replicaSet: world.replicaSets(app).find(({ spec }) => isOf(spec?.template ?? {})),
      pods,
      warnings: world.warnings(pods),
      fetchLogs,
    };
  }

  function settle(candidate: Candidate): void {
    settled = candidate;
    pending = undefined;
    parked = undefined;
    log.info("a release serves", { version: candidate.release.version });
    emit({ type: "running", app, deploymentId: candidate.release.deploymentId });
    options.onSettled();
  }

  async function conclude(
    candidate: Candidate,
    { reason, message, log: place, lines: said = [] }: Failed,
  ): Promise<void> {
    isJudging = true;
    const lines = place ? await read(place) : said;
    isJudging = false;
    if (pending === candidate) fail(candidate, { reason, message, log: lines });
    else judgeNow();
  }

  function fail(candidate: Candidate, failure: DeploymentFailure): void {
    const { deploymentId, version, digest } = candidate.release;
    log.warn("a release failed", { version, reason: failure.reason, why: failure.message });
    failed = { deploymentId, digest, failure };
    pending = undefined;
    if (settled === undefined) parked = candidate;
    verdicts.push({ type: "failed", app, deploymentId, failure });
    worker.wake();
    options.onSettled();
  }

  async function readFetchLog(pod: string): Promise<void> {
    isJudging = true;
    fetchLogs.set(pod, await read({ pod, container: "fetch", previous: false }));
    isJudging = false;
    judgeNow();
    fetchLogs.delete(pod); // it is read anew the next time
  }

  function begin(release: Release, pins: Pins): void {
    const { deploymentId, digest } = release;
    const problem = nodeProblem(pins.image, release.config?.node);
    pending = { release, pins, begunAt: Date.now() };
    failed = undefined;
    if (problem === undefined) {
      worker.wake();
      return;
    }
    pending = undefined;
    failed = { deploymentId, digest, failure: { reason: "unschedulable", message: problem, log: [] } };
    emit({ type: "failed", app, deploymentId, failure: failed.failure });
  }

  const isOf = (candidate: Candidate | undefined, id: string): candidate is Candidate =>
    candidate?.release.deploymentId === id;

  return {
    apply(release, followed) {
      const { deploymentId } = release;
      const known = [pending, settled].find((one) => isOf(one, deploymentId));
      if (known) known.release = release;
      if (known && known === settled) {
        emit({ type: "running", app, deploymentId });
        return worker.wake();
      }
      const pins = known?.pins ?? parsePins(release.pins) ?? newPins(settings, release);
      if (release.established) {
        settled = known ?? { release, pins, begunAt: Date.now() };
        if (known === pending) pending = undefined;
        return worker.wake(followed ? followedWithinMs : 0);
      }
      if (failed?.deploymentId === deploymentId) {
        return emit({ type: "failed", app, deploymentId, failure: failed.failure });
      }
      if (known) return worker.wake();
      begin(release, pins);
    },
    withdraw(deploymentId) {
      if (!isOf(pending, deploymentId)) return;
      pending = undefined;
      worker.wake();
    },
    scale(replicas) {
      for (const one of [settled, pending]) if (one) one.release = { ...one.release, replicas };
      worker.wake();
    },
    changed(change) {
      if (!isApplying) mend(change);
      else if (!["ReplicaSet", "Pod", "Event"].includes(change.kind)) unseen.push(change);
      judgeNow();
    },
    tick: judgeNow,
    repair: () => worker.wake(isYielding() ? foreignMs : 0),
    wanted: () => [pending, settled, parked].flatMap((one) => (one ? [toRelease(one)] : [])),
    served: () => settled && toRelease(settled),
    async close() {
      closing.abort();
      await worker.ended();
    },
  };
}
