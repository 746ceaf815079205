import { join, resolve } from "node:path";
import { runBuild } from "../../artifact/install/build.ts";
import { installDependencies } from "../../artifact/install/install.ts";
import { packFolder } from "../../artifact/pack/pack.ts";
import { type Finding, preflight } from "../../artifact/preflight/preflight.ts";
import { detectApp, detectName } from "../../artifact/project/detect.ts";
import { type Project, readProject } from "../../artifact/project/project.ts";
import type { AppConfig } from "../../core/app-config.ts";
import { parseAppName } from "../../core/app-name.ts";
import type { Manifest } from "../../core/artifact-layout.ts";
import { shortDigest } from "../../core/digest.ts";
import type { SigningKey } from "../../core/signing-key.ts";
import type { Capabilities } from "../../core/wire.ts";
import { formatBytes } from "../../lib/bytes.ts";
import { writeFileDurably } from "../../lib/durable-write.ts";
import { AetherError } from "../../lib/errors.ts";
import type { Client } from "../client.ts";
import type { CommandContext } from "../command.ts";
import { givenNumber } from "../values.ts";
import { pruneArtifacts } from "./artifact-cache.ts";
import type { Report } from "./report.ts";

/** What a command line asks of a deploy. */
export interface DeployPlan {
  folder: string;
  outFolder: string;
  /** The artifact lies in our cache, not where somebody asked for it. */
  inCache: boolean;
  /** Somebody wants the artifact itself; after a mere dry run nobody does. */
  keepsArtifact: boolean;
  deploys: boolean;
  /** Says what a deploy would change against what runs. */
  compares: boolean;
  rollbackOnFailure: boolean;
  /** For development: later code like it is loaded into the replicas while they run. */
  devHot: boolean;
  /** What builds it is `dev.build`, where the settings have one. */
  develops: boolean;
  detach: boolean;
  build: boolean;
  cache: boolean;
  compressionLevel: number | undefined;
  legacyUpload: boolean;
  note: string | null;
}

export interface PackedProject {
  app: string;
  config: AppConfig;
  replicas: number | undefined;
  path: string;
  digest: string;
  sizeBytes: number;
  manifest: Manifest;
  /** Hex, by AETHER_SIGNING_KEY. */
  signature?: string;
}

export interface DeployContext extends CommandContext {
  client: Client;
  report: Report;
  signingKey: SigningKey | undefined;
  /** Runs a build, and may look before and after it. */
  duringBuild?: (build: () => Promise<void>) => Promise<void>;
}

/** The plan that flags make. */
export function planOf(args: Record<string, unknown>, { cwd, config }: CommandContext): DeployPlan {
  const dryRun = args["dry-run"] === true;
  const packOnly = args["pack-only"] === true;
  const compares = args.plan === true;
  const deploys = !dryRun && !packOnly && !compares && args.upload !== false;
  const kept = typeof args.out === "string" ? args.out : packOnly ? "." : undefined;
  return {
    folder: resolve(cwd, String(args.dir ?? ".")),
    outFolder: kept === undefined ? join(config.paths.cacheFolder, "artifacts") : resolve(cwd, kept),
    inCache: kept === undefined,
    keepsArtifact: kept !== undefined || !(dryRun || compares),
    deploys,
    compares,
    rollbackOnFailure: args["rollback-on-failure"] === true,
    devHot: args["dev-hot"] === true,
    develops: false,
    detach: args.detach === true,
    build: args.build === true,
    cache: args.cache !== false,
    compressionLevel: parseLevel(args["compression-level"]),
    legacyUpload: args["legacy-upload"] === true,
    note: deploys
      ? null
      : dryRun || compares
        ? `${compares ? "plan" : "dry run"}: nothing was uploaded or deployed`
        : "packed only: nothing was uploaded or deployed",
  };
}

/** Detect, build, install, check, pack: everything that happens on the laptop. */
export async function packProject(plan: DeployPlan, context: DeployContext): Promise<PackedProject> {
  const { config, output, report } = context;
  const project = await report.timed("detect", () => readProject(plan.folder));
  const app = config.app === undefined ? detectName(project) : parseAppName(config.app);
  report.set({ app, note: plan.note });
  const command = (plan.develops ? project.settings.dev?.build : undefined) ?? project.settings.build;
  const { duringBuild = (work) => work() } = context;
  if (plan.build || command !== undefined) {
    await report.timed("build", () => duringBuild(() => build(project, command, context)));
  }
  const detected = await report.timed("detect", () => detectApp(project));
  output.step(`${app}: ${detected.config.start} (${detected.start.source})`);
  const installed = await report.timed("install", () => install(project, plan, context));
  await report.timed("check", () =>
    check({ project, installed: installed.folder, app: detected.config }, plan, context),
  );
  const packed = await report.timed("pack", () =>
    pack({ project, dependencies: installed.folder, app: detected.config }, plan, context),
  );
  return { app, config: detected.config, replicas: project.settings.replicas, ...packed };
}

async function build(
  project: Project,
  command: string | undefined,
  { output, env, signal }: DeployContext,
): Promise<void> {
  await runBuild(
    { ...project, settings: { ...project.settings, build: command } },
    { env: toolEnvironment(env), signal, say: output.step, onOutput: output.detail },
  );
}

/** Install scripts are other people's code: they get neither what signs for us nor what deploys for us. */
function toolEnvironment({ AETHER_SIGNING_KEY: _, AETHER_TOKEN: __, ...env }: DeployContext["env"]) {
  return env;
}

async function install(project: Project, plan: DeployPlan, { config, output, env, signal }: DeployContext) {
  const installed = await installDependencies({
    project,
    cacheFolder: join(config.paths.cacheFolder, "dependencies"),
    noCache: !plan.cache,
    env: toolEnvironment(env),
    say: output.step,
    onOutput: output.detail,
    signal,
  });
  if (installed.cached) output.step("Dependencies are unchanged: nothing to install");
  return installed;
}

type Checked = { project: Project; installed: string | undefined; app: AppConfig };

/** Errors end the deploy before a byte moves; warnings are told. Without a server to deploy to, its platform is not asked. */
async function check(
  { project, installed, app }: Checked,
  plan: DeployPlan,
  { client, output }: DeployContext,
): Promise<void> {
  const platform = plan.deploys || plan.compares ? toPlatform(await client.capabilities()) : undefined;
  const findings = await preflight({ project, dependenciesFolder: installed, appConfig: app, platform });
  for (const finding of findings) if (finding.level === "warning") output.warn(withHint(finding));
  const errors = findings.filter(({ level }) => level === "error");
  const [first] = errors;
  if (first === undefined) return;
  throw new AetherError("preflight_failed", errors.map(({ message }) => message).join("\n"), { hint: first.hint });
}

const withHint = ({ message, hint }: Finding): string => (hint === undefined ? message : `${message} ${hint}`);

function toPlatform({ runtime: { os, arch, libc, node } }: Capabilities) {
  return { os, arch, libc, ...(node === null ? {} : { node }) };
}

type Packing = { project: Project; dependencies: string | undefined; app: AppConfig };

async function pack({ project, dependencies, app }: Packing, plan: DeployPlan, context: DeployContext) {
  const { config, output, report } = context;
  const packed = await packFolder({
    appFolder: project.folder,
    ...(dependencies === undefined ? {} : { dependenciesFolder: dependencies }),
    appConfig: app,
    outFolder: plan.outFolder,
    ...(plan.cache ? { cacheFolder: join(config.paths.cacheFolder, "members") } : {}),
    ...(plan.compressionLevel === undefined ? {} : { compressionLevel: plan.compressionLevel }),
    onProgress: (doneBytes) => output.progress("Packing", doneBytes),
    warn: output.warn,
  });
  const manifest = packed.path.replace(/\.tar\.gz$/, ".manifest.json");
  await writeFileDurably(manifest, `${JSON.stringify(packed.manifest)}\n`);
  if (plan.inCache) await pruneArtifacts(plan.outFolder, new Date());
  report.set({ artifact: packed.path, digest: packed.digest, size_bytes: packed.sizeBytes, manifest });
  const { files, members, excluded } = packed;
  output.done(
    `Packed ${files} files into ${formatBytes(packed.sizeBytes)} (${shortDigest(packed.digest)}; ${members.reused} of ${members.total} members unchanged)`,
  );
  if (excluded.length > 0) output.step(`Left out: ${summarise(excluded)}`);
  if (!(plan.deploys || plan.compares) || packed.sizeBytes > unusualBytes) tellLargest(packed.largest, context);
  const { path, digest, sizeBytes, manifest: made } = packed;
  return { path, digest, sizeBytes, manifest: made, ...(await sign(packed, context)) };
}

/** The signature lies beside the artifact, for whoever takes that elsewhere. */
async function sign({ path, digest }: { path: string; digest: string }, { signingKey, report }: DeployContext) {
  if (signingKey === undefined) return {};
  const signature = await signingKey.sign(digest);
  const file = path.replace(/\.tar\.gz$/, ".sig");
  await writeFileDurably(file, `${signature}\n`);
  report.set({ signature: file });
  return { signature };
}

/** A package larger than this probably holds what nobody meant to ship. */
const unusualBytes = 100_000_000;

function tellLargest(largest: { path: string; sizeBytes: number }[], { output, report }: DeployContext): void {
  report.set({ largest: largest.map(({ path, sizeBytes }) => ({ path, size_bytes: sizeBytes })) });
  const lines = largest.map(({ path, sizeBytes }) => `  ${formatBytes(sizeBytes).padStart(8)}  ${path}`);
  if (lines.length > 0) output.step(`The largest files, before compression:\n${lines.join("\n")}`);
}

function summarise(paths: string[]): string {
  const shown = paths.slice(0, 8).join(", ");
  return paths.length > 8 ? `${shown} and ${paths.length - 8} more` : shown;
}

function parseLevel(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  return givenNumber("--compression-level", String(value), { min: 1, max: 12, example: 6 });
}
