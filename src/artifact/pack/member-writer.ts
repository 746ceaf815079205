import type { TableOfContents } from "../../core/artifact-layout.ts";
import type { ArtifactFile } from "./artifact-file.ts";
import type { Member } from "./member.ts";
import { checkRatio } from "./pack-limits.ts";

/** Writes members in the order they are put, while later ones are still being made. */
export interface MemberWriter {
  put(member: Promise<Member>): Promise<void>;
  /** Waits until all are written. */
  drain(): Promise<void>;
  /** A row for each written member. */
  readonly rows: TableOfContents["members"];
  readonly reused: number;
}

interface WriterOptions {
  file: ArtifactFile;
  /** Members that may be under way at once: what bounds memory. */
  window: number;
  onWritten(tarBytes: number): void;
  warn(message: string): void;
}

/** A writer at the start of `file`. */
export function createMemberWriter({ file, window, onWritten, warn }: WriterOptions): MemberWriter {
  const queue: Promise<Member>[] = [];
  const rows: TableOfContents["members"] = [];
  let tarBytes = 0;
  let reused = 0;
  let warned = false;

  async function put(member: Promise<Member>): Promise<void> {
    member.catch(() => {}); // whoever takes it from the queue sees the failure
    queue.push(member);
    if (queue.length >= window) await writeNext();
  }

  async function writeNext(): Promise<void> {
    const member = await queue.shift();
    if (member === undefined) return;
    const { bytes, rawBytes, sha256 } = member;
    rows.push({ offset: file.sizeBytes, length: bytes.length, tar_offset: tarBytes, tar_length: rawBytes, sha256 });
    tarBytes += rawBytes;
    if (member.reused) reused += 1;
    if (member.warning !== undefined && !warned) warn(`Packing goes on without a cache. ${member.warning}`);
    warned ||= member.warning !== undefined;
    await file.append(bytes);
    checkRatio(tarBytes, file.sizeBytes);
    onWritten(tarBytes);
  }

  async function drain(): Promise<void> {
    while (queue.length > 0) await writeNext();
  }

  return {
    put,
    drain,
    rows,
    get reused() {
      return reused;
    },
  };
}
