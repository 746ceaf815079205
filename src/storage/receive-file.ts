import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { CryptoHasher } from "bun";
import type { Digest } from "../core/digest.ts";
import { AetherError } from "../lib/errors.ts";

export interface ReceivedFile extends AsyncDisposable {
  path: string;
  digest: Digest;
  sizeBytes: number;
}

/**
 * Streams `chunks` to a temporary file in `folder`, hashed and synced. Whatever goes wrong, and when the file is disposed
 * of, the temporary name is gone.
 */
export async function receiveFile(
  chunks: AsyncIterable<Uint8Array>,
  { folder, maxBytes }: { folder: string; maxBytes: number },
): Promise<ReceivedFile> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, randomUUID());
  const dispose = () => rm(path, { force: true });
  try {
    const handle = await open(path, "wx", 0o600);
    try {
      const written = await writeChunks(handle, chunks, maxBytes);
      await handle.sync();
      return { path, ...written, [Symbol.asyncDispose]: dispose };
    } finally {
      await handle.close();
    }
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** The refusal of more bytes than a URL was signed for. */
export const tooLong = (maxBytes: number): AetherError =>
  new AetherError("size_exceeded", `The upload is longer than the ${maxBytes} bytes that its URL allows.`, {
    hint: "Ask for a new upload URL with the size of the file.",
  });

async function writeChunks(handle: FileHandle, chunks: AsyncIterable<Uint8Array>, maxBytes: number) {
  const hash = new CryptoHasher("sha256");
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) throw tooLong(maxBytes);
    hash.update(chunk);
    for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
  }
  return { digest: hash.digest("hex"), sizeBytes };
}
