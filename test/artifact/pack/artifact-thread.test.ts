import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { startArtifactThread } from "../../../src/artifact/pack/artifact-thread.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";

test("what is appended lies in the file in order, and its hash is told", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "artifact");
  const descriptor = openSync(path, "wx");
  const thread = startArtifactThread();
  try {
    const pieces = Array.from({ length: 50 }, (_, index) => new Uint8Array(10_000 * index).fill(index));
    const expected = Buffer.concat(pieces);
    await Promise.all(pieces.map((piece) => thread.append(descriptor, piece)));
    expect(await thread.digest()).toBe(createHash("sha256").update(expected).digest("hex"));
    expect(readFileSync(path).equals(expected)).toBe(true);
  } finally {
    thread.close();
    closeSync(descriptor);
  }
});

test("a part of somebody's buffer is copied, and the buffer stays theirs", async () => {
  await using folder = await temporaryFolder();
  const descriptor = openSync(join(folder.path, "artifact"), "wx");
  const thread = startArtifactThread();
  try {
    const whole = new Uint8Array(1000).fill(7);
    await thread.append(descriptor, whole.subarray(100, 300));
    expect(whole).toEqual(new Uint8Array(1000).fill(7));
    expect(await thread.digest()).toBe(createHash("sha256").update(whole.subarray(0, 200)).digest("hex"));
  } finally {
    thread.close();
    closeSync(descriptor);
  }
});

test("what the file system refuses comes out with its code", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "artifact");
  closeSync(openSync(path, "wx"));
  const readOnly = openSync(path, "r");
  const thread = startArtifactThread();
  try {
    const failure = await thread.append(readOnly, new Uint8Array(10)).catch((error) => error);
    expect(failure).toMatchObject({ code: "EBADF" });
  } finally {
    thread.close();
    closeSync(readOnly);
  }
});
