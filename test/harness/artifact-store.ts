import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { temporaryFolder } from "./temporary-folder.ts";

/** The files of an application, by path. */
export type Files = Record<string, string>;

/**
 * A control plane and a storage as an agent sees them: `/download/<digest>` redirects to a presigned-looking URL of
 * another origin, which answers with the bytes. `host` is how the agent reaches this machine.
 */
export async function createArtifactStore({ host = "127.0.0.1" } = {}) {
  const hostname = host === "127.0.0.1" ? host : "0.0.0.0";
  const artifacts = new Map<string, Uint8Array<ArrayBuffer>>();
  const requests: Request[] = [];
  function remember(request: Request): void {
    void request.headers; // Bun reads them when they are asked for, and has none once it has answered
    requests.push(request);
  }
  const signatures = new Map<string, string>();
  const refusals = new Map<string, () => Response>();
  const reports = { taken: [] as Record<string, unknown>[], authorizations: [] as (string | null)[], status: 204 };
  async function takeReport(request: Request): Promise<Response> {
    if (new URL(request.url).pathname !== "/agent/reports") return new Response("none", { status: 404 });
    reports.authorizations.push(request.headers.get("authorization"));
    const report = (await request.json()) as Record<string, unknown>;
    if (reports.status < 300) reports.taken.push(report);
    return new Response(null, { status: reports.status });
  }
  const storage = Bun.serve({
    hostname,
    port: 0,
    fetch(request) {
      remember(request);
      const bytes = artifacts.get(new URL(request.url).pathname.slice(1));
      return bytes ? new Response(bytes) : new Response("none", { status: 404 });
    },
  });
  const storageOrigin = `http://${host}:${storage.port}`;
  const server = Bun.serve({
    hostname,
    port: 0,
    async fetch(request) {
      if (request.method === "POST") return takeReport(request);
      remember(request);
      const digest = new URL(request.url).pathname.split("/").pop() ?? "";
      const refusal = refusals.get(digest);
      if (refusal) return refusal();
      const headers = new Headers({ location: `${storageOrigin}/${digest}?signature=secret` });
      const signature = signatures.get(digest);
      if (signature !== undefined) headers.set("x-aether-signature", signature);
      return new Response(null, { status: 307, headers });
    },
  });
  const downloadUrl = (digest: string) => `http://${host}:${server.port}/download/${digest}`;
  return {
    storageOrigin,
    requests,
    downloadUrl,
    /** What the server says an artifact was signed with. */
    signatures,
    /** What it answers instead. */
    refusals,
    /** What agents reported, and what they are answered. */
    reports,
    /** Packs with GNU tar: an archive that nothing of ours has touched. */
    async add(files: Files) {
      const bytes = await packFiles(files);
      const digest = createHash("sha256").update(bytes).digest("hex");
      artifacts.set(digest, bytes);
      return { digest, downloadUrl: downloadUrl(digest) };
    },
    put: (digest: string, bytes: Uint8Array<ArrayBuffer>) => artifacts.set(digest, bytes),
    async [Symbol.asyncDispose]() {
      await Promise.all([storage.stop(true), server.stop(true)]);
    },
  };
}

export type ArtifactStore = Awaited<ReturnType<typeof createArtifactStore>>;

/** An archive of GNU tar's, which nothing of ours has touched. */
export async function packFiles(files: Files): Promise<Uint8Array<ArrayBuffer>> {
  await using folder = await temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder.path, "app", name)), { recursive: true });
    await writeFile(join(folder.path, "app", name), text);
  }
  const archive = join(folder.path, "app.tar.gz");
  const isOurs = (name: string) => Number(name.startsWith(".aether/")); // always last
  const names = Object.keys(files)
    .sort()
    .sort((one, other) => isOurs(one) - isOurs(other));
  const tar = Bun.spawn(
    ["tar", "-czf", archive, "--format=ustar", "--mtime=@0", "--owner=0", "--group=0", "--", ...names],
    {
      cwd: join(folder.path, "app"),
      stderr: "pipe",
    },
  );
  if ((await tar.exited) !== 0) throw new Error(await new Response(tar.stderr).text());
  return new Uint8Array(await readFile(archive));
}
