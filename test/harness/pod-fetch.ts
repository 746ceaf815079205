import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type PodFetch, toPodVariables } from "../../src/core/pod-agent.ts";
import { createArtifactStore, type Files } from "./artifact-store.ts";
import { agentPath } from "./local-runtime.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** An empty workspace, a release of `files` to fetch, and an init container's process to do it with, once or again. */
export async function createPodFetch(files: Files, { node = "node" } = {}) {
  const folder = await temporaryFolder();
  const store = await createArtifactStore();
  const agent = await agentPath();
  const tokenFile = join(folder.path, "token");
  await Bun.write(tokenFile, "first\n");
  const wanted: PodFetch = {
    app: "shop",
    ...(await store.add(files)),
    storageOrigins: [store.storageOrigin],
    tokenFile,
    workspace: join(folder.path, "workspace"),
    terminationFile: join(folder.path, "termination-log"),
  };

  function start(more: Partial<PodFetch> = {}) {
    const variables = toPodVariables({ ...wanted, ...more });
    const env = Object.fromEntries(variables.map(({ name, value }) => [name, value.replaceAll("$$", "$")]));
    const child = Bun.spawn([node, agent, "fetch"], { env, stdout: "pipe", stderr: "inherit" });
    let said = "";
    const reading = (async () => {
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream() as ReadableWritablePair)) said += text;
    })();
    return {
      pid: child.pid,
      said: () => said,
      /** Kills it as the kernel does, or tells it to end. */
      async kill(signal: "SIGKILL" | "SIGTERM" = "SIGKILL") {
        child.kill(signal);
        return this.ended();
      },
      async ended() {
        const code = await child.exited;
        await reading;
        return code;
      },
    };
  }

  return {
    folder: folder.path,
    store,
    wanted,
    start,
    /** Runs it to its end: exit code, what it said, and the verdict it left. */
    async run(more: Partial<PodFetch> = {}) {
      const running = start(more);
      const code = await running.ended();
      const left = await readFile(wanted.terminationFile ?? "", "utf8").catch(() => undefined); // none was left
      return { code, said: running.said(), verdict: left === undefined ? undefined : JSON.parse(left) };
    },
    /** What lies in the workspace, and the files of the application. */
    async contents(workspace = wanted.workspace) {
      const app = join(workspace, "app");
      const entries = await readdir(app, { recursive: true, withFileTypes: true });
      const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
      const own = paths.map((path) => path.slice(app.length + 1)).filter((path) => !path.startsWith(".aether/"));
      const texts = await Promise.all(own.map(async (path) => [path, await readFile(join(app, path), "utf8")]));
      return { names: (await readdir(workspace)).sort(), files: Object.fromEntries(texts) as Files };
    },
    read: (name: string) => readFile(join(wanted.workspace, name), "utf8"),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
