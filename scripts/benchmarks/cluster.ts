// `aether deploy` on a cluster against an image of the same application, both with two replicas and in one run.
import { readFile, rm, writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import { $ } from "bun";
import { runJson } from "../../test/harness/binary.ts";
import { createKubernetesServer } from "../../test/harness/kubernetes-server.ts";
import { createNamespace } from "../../test/harness/namespace.ts";
import { createImageRollout, type ImageTimes } from "./image-rollout.ts";
import { ensureBenchApp, whyNoCluster } from "./testbed.ts";

type Figures = Record<string, number | string>;
type Platform = Awaited<ReturnType<typeof createKubernetesServer>>;

/** From Enter to two replicas that serve, first and after a changed line, of both ways. */
export async function benchCluster(): Promise<Figures> {
  const reason = whyNoCluster();
  if (reason !== undefined) return { "two replicas on a cluster": `not measured: ${reason}` };
  const load = loadNow();
  await using platform = await createKubernetesServer();
  const folder = await copyBenchApp(platform.user.path);
  const installMs = await installFirst(platform, folder);
  const first = await deploy(platform, folder);
  await changeLine(folder, "one line");
  const second = await deploy(platform, folder);
  await platform.user.run(["apps", "delete", "bench-app", "--yes"], { env: platform.client });

  await using namespace = await createNamespace();
  const image = createImageRollout({ folder, namespace: namespace.name });
  const firstImage = await image.deploy("first", ["--no-cache"]);
  await changeLine(folder, "another line");
  const secondImage = await image.deploy("second");
  const bareMs = await image.bareRollout();
  return {
    ...told("first deploy", first),
    ...told("second deploy", second),
    "installing the dependencies, before both, ms": installMs,
    ...toldImage("first image", firstImage),
    ...toldImage("second image", secondImage),
    "bare rollout of the image, ms": Math.round(bareMs),
    "first deploy / first image (goal 0.2)": ratio(first.ms, total(firstImage)),
    "second deploy / second image (goal 0.2)": ratio(second.ms, total(secondImage)),
    "second deploy / bare rollout": ratio(second.ms, bareMs),
    "load of the machine, before and after": `${load} ${loadNow()}`,
  };
}

/** Hard links: what is changed here is written as a new file. */
async function copyBenchApp(work: string): Promise<string> {
  const folder = join(work, "bench-app");
  await $`cp -al ${await ensureBenchApp()} ${folder}`;
  await writeFile(join(folder, "aether.json"), JSON.stringify({ replicas: 2 }));
  return folder;
}

/** An image takes its node_modules from the folder, where they were installed as well: neither time counts. */
async function installFirst({ user, client: env }: Platform, folder: string): Promise<number> {
  const { code, stderr, json } = await runJson(user, ["deploy", folder, "--dry-run"], { env });
  if (code !== 0) throw new Error(stderr);
  for (const name of ["members", "artifacts"])
    await rm(join(user.env.XDG_CACHE_HOME, "aether", name), { recursive: true });
  return json.timings.install_ms;
}

interface Deployed {
  ms: number;
  timings: Record<string, number>;
}

async function deploy({ user, client: env }: Platform, folder: string): Promise<Deployed> {
  const since = performance.now();
  const { code, stderr, json } = await runJson(user, ["deploy", folder], { env });
  if (code !== 0) throw new Error(stderr);
  return { ms: performance.now() - since, timings: json.timings };
}

/** Another one in each run: buildah keeps what it has built before. */
async function changeLine(folder: string, line: string): Promise<void> {
  const path = join(folder, "server.js");
  const code = await readFile(path, "utf8");
  await rm(path);
  await writeFile(path, `${code}// ${line} at ${Date.now()}\n`);
}

function told(what: string, { ms, timings }: Deployed): Figures {
  const stages = Object.entries(timings).map(([name, stage]) => [`${what}: ${name}`, stage]);
  return { [`${what}, ms`]: Math.round(ms), ...Object.fromEntries(stages) };
}

function toldImage(what: string, times: ImageTimes): Figures {
  const { buildMs, shipMs, rolloutMs } = times;
  return {
    [`${what}, ms`]: Math.round(total(times)),
    [`${what}: build, ms`]: Math.round(buildMs),
    [`${what}: ship, ms`]: Math.round(shipMs),
    [`${what}: rollout, ms`]: Math.round(rolloutMs),
  };
}

const total = ({ buildMs, shipMs, rolloutMs }: ImageTimes): number => buildMs + shipMs + rolloutMs;
const loadNow = (): string => (loadavg()[0] ?? Number.NaN).toFixed(1);
const ratio = (ms: number, ofMs: number): string => (ms / ofMs).toFixed(2);
