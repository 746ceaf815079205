import { count, eq, sql } from "drizzle-orm";
import { apps, artifacts, deployments } from "../db/schema.ts";
import type { Control } from "./control.ts";

const freshMs = 3_000;

/** Brings the gauges that speak of the database up to date, at most every few seconds, however many servers scrape. */
export function createCoverage(control: Control): () => Promise<void> {
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;
  return () => {
    if (performance.now() - readAt < freshMs) return reading ?? Promise.resolve();
    readAt = performance.now();
    reading = readCoverage(control).catch((error: unknown) => {
      readAt = Number.NEGATIVE_INFINITY;
      control.log.warn("the metrics that speak of the database could not be read", { error });
      forgetCoverage(control);
    });
    return reading;
  };
}

async function readCoverage({ db, metrics }: Control): Promise<void> {
  const isStored = sql`${artifacts.status} = 'stored'`;
  const [found] = await db
    .select({
      stored: sql`count(*) filter (where ${isStored})`.mapWith(Number),
      signed: sql`count(*) filter (where ${isStored} and ${artifacts.signature} is not null)`.mapWith(Number),
      underWay: sql`count(*) filter (where ${artifacts.status} in ('pending', 'verifying'))`.mapWith(Number),
    })
    .from(artifacts);
  const releases = await db
    .select({ app: apps.name, digest: deployments.digest, running: count() })
    .from(deployments)
    .innerJoin(apps, eq(apps.id, deployments.appId))
    .where(eq(deployments.status, "running"))
    .groupBy(apps.name, deployments.digest);
  metrics.artifactsStored.set(found?.stored ?? 0);
  metrics.artifactsSigned.set(found?.signed ?? 0);
  metrics.uploadsInProgress.set(found?.underWay ?? 0);
  metrics.deploymentsRunning.set(releases.reduce((sum, { running }) => sum + running, 0));
  metrics.releaseInfo.reset();
  for (const { app, digest } of releases) {
    metrics.releaseInfo.set({ app, digest12: digest.slice(0, 12), commit: "" }, 1);
  }
}

/** What is not known now is not a number: an old one would look true. */
function forgetCoverage({ metrics }: Control): void {
  const { artifactsStored, artifactsSigned, uploadsInProgress, deploymentsRunning, releaseInfo } = metrics;
  for (const gauge of [artifactsStored, artifactsSigned, uploadsInProgress, deploymentsRunning]) gauge.set(Number.NaN);
  releaseInfo.reset();
}
