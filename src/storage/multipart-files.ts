import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeFileDurably } from "../lib/durable-write.ts";
import { AetherError } from "../lib/errors.ts";
import { ignoring } from "./object-files.ts";
import type { ListedPart, StartedMultipart, UploadedPart } from "./storage.ts";

/** Uploads in parts: `multipart/<upload id>/` holds `key` and one file `<number>-<sha256>` for each finished part. */
export type MultipartFiles = ReturnType<typeof createMultipartFiles>;

export function createMultipartFiles(folder: string) {
  const root = join(folder, "multipart");
  const isUploadId = (id: string): boolean => /^[0-9a-f]{32}$/.test(id);

  /** The folder of an upload of `key`; another key's upload is as unknown as none. */
  async function open(key: string, uploadId: string): Promise<string> {
    const upload = join(root, uploadId);
    const owner = isUploadId(uploadId)
      ? await ignoring(["ENOENT", "ENOTDIR"], readFile(join(upload, "key"), "utf8"))
      : undefined;
    if (owner === key) return upload;
    throw new AetherError("not_found", "There is no such multipart upload: it was completed or abandoned.", {
      hint: "Start the upload again.",
    });
  }

  async function list(key: string, uploadId: string): Promise<ListedPart[]> {
    const upload = await open(key, uploadId);
    const names = (await readdir(upload)).filter((name) => /^\d{5}-[0-9a-f]{64}$/.test(name)).sort();
    return Promise.all(
      names.map(async (name) => ({
        partNumber: Number(name.slice(0, 5)),
        etag: name.slice(6),
        sizeBytes: (await stat(join(upload, name))).size,
      })),
    );
  }

  return {
    open,
    list,

    async start(key: string): Promise<string> {
      const uploadId = randomBytes(16).toString("hex");
      await mkdir(join(root, uploadId), { recursive: true, mode: 0o700 });
      await writeFileDurably(join(root, uploadId, "key"), key, 0o600);
      return uploadId;
    },

    /** Takes the finished file `from` as a part; sent again, a part replaces its earlier self. */
    async add(from: string, part: { key: string; uploadId: string } & UploadedPart): Promise<void> {
      const upload = await open(part.key, part.uploadId);
      const name = fileName(part);
      await rename(from, join(upload, name));
      const earlier = (await readdir(upload)).filter((other) => other !== name && other.startsWith(name.slice(0, 6)));
      for (const other of earlier) await rm(join(upload, other), { force: true });
    },

    /** The paths of `parts` in order; `bad_request` when one is missing, changed or out of order. */
    async pathsOf(key: string, uploadId: string, parts: UploadedPart[]): Promise<string[]> {
      const upload = await open(key, uploadId);
      const present = new Set((await list(key, uploadId)).map(fileName));
      if (parts.length === 0) throw new AetherError("bad_request", "A multipart upload needs at least one part.");
      return parts.map((part, index) => {
        const previous = parts[index - 1];
        if (previous && previous.partNumber >= part.partNumber) {
          throw new AetherError("bad_request", `Part ${part.partNumber} is out of order.`, {
            hint: "List the parts in ascending order of their number, each once.",
          });
        }
        const name = fileName({ ...part, etag: part.etag.replaceAll('"', "") });
        if (present.has(name)) return join(upload, name);
        throw new AetherError("bad_request", `Part ${part.partNumber} is missing, or its etag is another.`, {
          hint: "Send that part again and use the etag of the answer.",
        });
      });
    },

    /** Renamed first, so that the upload ends at once, also for a part that is being written. */
    async end(uploadId: string): Promise<void> {
      if (!isUploadId(uploadId)) return;
      const ended = join(root, `ended-${randomUUID()}`);
      await ignoring(["ENOENT"], rename(join(root, uploadId), ended));
      await rm(ended, { recursive: true, force: true });
    },

    /** Uploads of keys with this prefix; each dates from its latest part. */
    async *unfinished(prefix: string): AsyncGenerator<StartedMultipart> {
      for (const uploadId of ((await ignoring(["ENOENT"], readdir(root))) ?? []).filter(isUploadId)) {
        const key = await ignoring(["ENOENT"], readFile(join(root, uploadId, "key"), "utf8"));
        const found = await ignoring(["ENOENT"], stat(join(root, uploadId)));
        if (key?.startsWith(prefix) && found) yield { key, uploadId, startedAt: found.mtime };
      }
    },

    /** Ends what had no new part for `olderThanMs`, and finishes ends that were cut short. */
    async sweep(now: Date, olderThanMs: number): Promise<void> {
      for (const name of (await ignoring(["ENOENT"], readdir(root))) ?? []) {
        const found = await ignoring(["ENOENT"], stat(join(root, name)));
        if (!isUploadId(name)) await rm(join(root, name), { recursive: true, force: true });
        else if (found && now.getTime() - found.mtimeMs > olderThanMs) await this.end(name);
      }
    },
  };
}

const fileName = ({ partNumber, etag }: UploadedPart): string => `${String(partNumber).padStart(5, "0")}-${etag}`;
