import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createFilesystemStorage, type FilesystemStorage } from "../../src/storage/filesystem.ts";
import { artifactKey } from "../../src/storage/storage.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Filesystem storage behind a real HTTP server, on a clock that tests can move. */
export async function storageServer(options: { folder?: string; maxObjectBytes?: number } = {}) {
  const temporary = await temporaryFolder();
  const folder = options.folder ?? temporary.path;
  const errors: unknown[] = [];
  const clock = { now: new Date() };
  let storage: FilesystemStorage | undefined;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: (request) => storage?.handle(request) ?? new Response("not ready", { status: 503 }),
  });
  const url = `http://127.0.0.1:${server.port}`;
  storage = createFilesystemStorage({
    folder,
    secret: new Uint8Array(32).fill(7),
    publicUrl: url,
    internalUrl: `${url}/internal/`,
    now: () => clock.now,
    onError: (error) => void errors.push(error),
    ...(options.maxObjectBytes === undefined ? {} : { maxObjectBytes: options.maxObjectBytes }),
  });
  return {
    storage,
    clock,
    errors,
    folder,
    port: Number(server.port),
    /** Every file below the folder, to prove that nothing was left. */
    files: () => filesBelow(folder),
    async [Symbol.asyncDispose]() {
      await server.stop(true);
      await temporary[Symbol.asyncDispose]();
    },
  };
}

export type StorageServer = Awaited<ReturnType<typeof storageServer>>;

/** Bytes with the key and digest they would be stored under. */
export function sample(bytes: Uint8Array | string, app = "shop") {
  const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  const digest = new Bun.CryptoHasher("sha256").update(data).digest("hex");
  const checksum = Buffer.from(digest, "hex").toString("base64");
  return { data, digest, checksum, sizeBytes: data.length, key: artifactKey(app, digest) };
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
