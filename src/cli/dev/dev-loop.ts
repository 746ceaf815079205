import { setTimeout as sleep } from "node:timers/promises";
import { AetherError, messageOf } from "../../lib/errors.ts";
import { isTransient } from "../client.ts";
import { type DeployContext, type DeployPlan, packProject } from "../deploy/pack-project.ts";
import { release } from "../deploy/release.ts";
import type { ReleaseContext } from "../deploy/release-context.ts";
import { createReport } from "../deploy/report.ts";
import type { Output } from "../output.ts";
import { createBuildOutputs } from "./build-outputs.ts";
import { followTree } from "./follow-tree.ts";
import { type Reload, reloadJson, reloadLine } from "./reload-line.ts";

export type DevContext = Omit<ReleaseContext, "report">;

/** What is known of the app while it is followed. */
export interface Followed {
  app?: string;
  url?: string | null;
  /** Of what runs. */
  digest?: string;
}

/** Deploys a folder, and again each time that it changes; a failure is told and waited out. Ends when `signal` is aborted. */
export async function devLoop(plan: DeployPlan, context: DevContext, followed: Followed): Promise<void> {
  const { signal, output } = context;
  const outputs = createBuildOutputs(plan.folder);
  const building: DevContext = { ...context, duringBuild: outputs.during };
  const later = { ...building, output: terse(output) };
  const changes = followTree(plan.folder, { signal, warn: output.warn, isOwn: outputs.isOwn });
  let isFirst = true;
  for await (const changed of changes) {
    const turn = { plan, changed, followed, isFirst };
    while (!(await tryReload(turn, isFirst ? building : later))) await serverIsBack(context);
    if (isFirst) output.step(`Following ${plan.folder}; Ctrl-C ends it, and ${followed.app} goes on running`);
    isFirst = false;
  }
}

interface Turn {
  plan: DeployPlan;
  changed: string[];
  followed: Followed;
  isFirst: boolean;
}

/** False: the server is away, and the same is worth to be tried again. */
async function tryReload(turn: Turn, context: DevContext): Promise<boolean> {
  const { changed, isFirst, followed } = turn;
  const report = createReport();
  try {
    const reload: Reload = { changed, fields: report.fields };
    await report.describeFailures(context.signal, async () => {
      reload.deployment = await perform(turn, { ...context, report });
    });
    tell(reload, turn, context.output);
    return true;
  } catch (error) {
    if (!(error instanceof AetherError) || error.code === "interrupted") throw error;
    if (isFirst && !mendable.has(error.code)) throw error;
    followed.app = report.fields.app ?? followed.app ?? "the app";
    if (context.output.isJson) context.output.text(`${reloadJson({ changed, fields: report.fields }, error)}\n`);
    else context.output.failure(error);
    return !isTransient(error);
  }
}

/** A save may mend these; anything else at the start is for whoever typed the command. */
const mendable = new Set(["preflight_failed", "install_failed", "build_failed", "deployment_failed", "config_invalid"]);

async function perform({ plan, followed }: Turn, context: DeployContext & ReleaseContext) {
  const packed = await packProject(plan, context);
  followed.app = packed.app;
  if (packed.digest === followed.digest) return undefined;
  const deployment = await release(packed, plan, context);
  followed.digest = packed.digest;
  return deployment;
}

function tell(reload: Reload, { followed }: Turn, output: Output): void {
  const { url } = reload.fields;
  if (output.isJson) {
    output.text(`${reloadJson(reload)}\n`);
    return;
  }
  if (url && url !== followed.url) output.text(`${url}\n`);
  followed.url = url ?? followed.url ?? null;
  output.text(`${reloadLine(reload)}\n`);
}

/** The story of a deploy is told once; of those that follow, a line each, and each warning once. */
function terse(output: Output): Output {
  const warned = new Set<string>();
  const silent = () => {};
  return {
    ...output,
    step: silent,
    done: silent,
    detail: silent,
    progress: silent,
    warn(message) {
      if (!warned.has(message)) output.warn(message);
      warned.add(message);
    },
  };
}

async function serverIsBack({ client, signal, output }: DevContext): Promise<void> {
  output.step("Waiting for the server");
  for (;;) {
    await sleep(1_000, undefined, { signal }).catch(() => {});
    if (signal.aborted) throw signal.reason;
    try {
      await client.capabilities();
      return;
    } catch (error) {
      if (!isTransient(error)) throw new AetherError("unreachable", messageOf(error), { cause: error });
    }
  }
}
