import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { apiFiles, type HotFetch, hotAnnotations, toHotVariables } from "../../src/core/pod-hot.ts";
import { clusterTls, refusal, serveApi } from "./api-server.ts";
import { createArtifactStore, type Files } from "./artifact-store.ts";
import { freePort } from "./free-port.ts";
import { agentPath } from "./local-runtime.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { waitFor } from "./wait-for.ts";

/**
 * Both containers of a dev-hot pod as processes of this machine, with a store, and an API server that has one Deployment:
 * its annotations are what a test changes.
 */
export async function createHotPod(
  files: Files,
  { node = "node", ...more }: Partial<HotFetch> & { node?: string } = {},
) {
  const folder = await temporaryFolder();
  const store = await createArtifactStore();
  const deployment = createDeployment();
  const api = serveApi(deployment.answer, { certificate: "server" });
  const apiFolder = join(folder.path, "api");
  await mkdir(apiFolder);
  await copyFile(clusterTls("authority.pem"), join(apiFolder, apiFiles.ca));
  await writeFile(join(apiFolder, apiFiles.token), "first-token\n");
  const tokenFile = join(folder.path, "token");
  await writeFile(tokenFile, "our-token\n");
  const agent = await agentPath();
  const port = freePort();
  const base = await store.add(files);
  const wanted: Partial<HotFetch> & { digest: string; downloadUrl: string } = {
    ...base,
    fetchIntervalSec: 3_600,
    graceSec: 1,
    ...more,
  };
  const paths = { control: join(folder.path, "control"), workspace: join(folder.path, "workspace") };
  await mkdir(paths.workspace);
  const terminationFile = join(folder.path, "termination-log");
  let said = "";
  let appSaid = "";

  function fetcher() {
    const variables = toHotVariables({
      app: "shop",
      namespace: "apps",
      storageOrigins: [store.storageOrigin],
      api: apiFolder,
      apiUrl: api.url,
      terminationFile,
      tokenFile,
      ...paths,
      ...wanted,
    });
    const env = Object.fromEntries(variables.map(({ name, value }) => [name, value.replaceAll("$$", "$")]));
    const child = Bun.spawn([node, agent, "fetch-hot"], { env, stdout: "pipe", stderr: "pipe" });
    for (const output of [child.stdout, child.stderr])
      void read(output, (text) => {
        said += text;
      });
    return child;
  }

  function app() {
    const child = Bun.spawn([node, agent, "supervise-hot", paths.control, paths.workspace], {
      env: { PATH: process.env.PATH ?? "", PORT: String(port), AETHER_HOT_HOST: "127.0.0.1" },
      stdout: "pipe",
      stderr: "pipe",
    });
    for (const output of [child.stdout, child.stderr])
      void read(output, (text) => {
        appSaid += text;
      });
    return child;
  }

  const containers = { fetcher: fetcher(), app: undefined as ReturnType<typeof app> | undefined };
  /** As the kubelet: the application's container when the start-up probe finds code. */
  const starting = waitFor("code to be there", () => Bun.file(join(paths.control, "wish.json")).exists(), {
    withinMs: 60_000,
  });
  void starting.then(
    () => {
      containers.app = app();
    },
    () => undefined,
  );

  const markers = () => said.split("\n").filter((line) => /^(\[fetcher\] new digest|REFRESH_)/.test(line));
  return {
    store,
    deployment,
    paths,
    apiFolder,
    terminationFile,
    base: base.digest,
    requests: api.requests,
    containers,
    port,
    said: () => said,
    appSaid: () => appSaid,
    markers,
    get: async (path = "/") => (await fetch(`http://127.0.0.1:${port}${path}`, { keepalive: false })).text(),
    /** Stores a version, without wishing it. */
    add: async (version: Files) => (await store.add(version)).digest,
    /** What `kubectl annotate` does. */
    annotate: (digest: string) => deployment.annotate({ [hotAnnotations.digest]: digest }),
    /** The marker that ends the attempt at a digest. */
    outcome: (digest: string, nth = 1) =>
      waitFor(
        `the outcome of ${digest}; it said ${said.slice(-3_000)}; the application said ${appSaid.slice(-1_000)}`,
        () => markers().filter((line) => line.startsWith("REFRESH_") && line.includes(digest))[nth - 1],
        { withinMs: 60_000 },
      ),
    async killFetcher() {
      containers.fetcher.kill("SIGKILL");
      await containers.fetcher.exited;
    },
    startFetcher() {
      containers.fetcher = fetcher();
    },
    async [Symbol.asyncDispose]() {
      containers.fetcher.kill("SIGTERM");
      containers.app?.kill("SIGTERM");
      await Promise.all([containers.fetcher.exited, containers.app?.exited]);
      await api[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** One Deployment, and who watches it. */
function createDeployment() {
  let version = 100;
  let annotations: Record<string, string> = {};
  const watches = new Set<(text: string) => void>();
  const ends = new Set<() => void>();
  const object = () => ({
    kind: "PartialObjectMetadata",
    apiVersion: "meta.k8s.io/v1",
    metadata: { name: "shop", resourceVersion: String(version), annotations },
  });
  const line = (type: string) => `${JSON.stringify({ type, object: object() })}\n`;
  const self = {
    /** Answers instead, where it gives an answer. */
    before: (_: Request): Response | undefined => undefined,
    /** Watches hear nothing of what happens. */
    isSilent: false,
    watching: () => watches.size,
    endWatches(): void {
      for (const end of ends) end();
    },
    version: () => version,
    annotate(changes: Record<string, string>): void {
      version += 1;
      annotations = { ...annotations, ...changes };
      if (!this.isSilent) for (const say of watches) say(line("MODIFIED"));
    },
    answer(request: Request): Response {
      const refused = self.before(request);
      if (refused) return refused;
      const { pathname, searchParams } = new URL(request.url);
      const collection = "/apis/apps/v1/namespaces/apps/deployments";
      if (pathname === `${collection}/shop`) return Response.json(object());
      if (pathname !== collection || searchParams.get("fieldSelector") !== "metadata.name=shop") return refusal(403);
      if (searchParams.get("watch") !== "true") return refusal(403); // the Role allows no list
      let say: (text: string) => void;
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          say = (text) => controller.enqueue(new TextEncoder().encode(text));
          watches.add(say);
          const end = () => {
            ends.delete(end);
            watches.delete(say);
            controller.close();
          };
          ends.add(end);
          const from = searchParams.get("resourceVersion");
          if (from === null) say(line("ADDED"));
          else if (Number(from) < version && !self.isSilent) say(line("MODIFIED"));
        },
        cancel: () => void watches.delete(say),
      });
      return new Response(body);
    },
  };
  return self;
}

async function read(output: ReadableStream<Uint8Array>, heard: (text: string) => void): Promise<void> {
  for await (const text of output.pipeThrough(new TextDecoderStream() as ReadableWritablePair)) heard(text);
}
