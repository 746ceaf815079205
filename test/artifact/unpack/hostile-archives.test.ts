import { describe, expect, test } from "bun:test";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { unpackArtifact } from "../../../src/artifact/unpack/unpack.ts";
import { AetherError } from "../../../src/lib/errors.ts";
import { sha256 } from "../../harness/tar-archive.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";
import { hostileArchives } from "./hostile-archives.ts";

describe.each(Object.entries(hostileArchives))("hostile %s", (_, rows) => {
  test.each(rows)("%s: %s", async (_what, rule, bytes, limits = {}) => {
    await using place = await temporaryFolder();
    const path = join(place.path, "a.tgz");
    await writeFile(path, bytes);
    await mkdir(join(place.path, "out"));

    const unpacking = unpackArtifact({ path, digest: sha256(bytes), targetFolder: join(place.path, "out/r"), limits });
    const error = await unpacking.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );

    expect(error).toBeInstanceOf(AetherError);
    expect(error).toMatchObject({ code: "artifact_invalid", details: { rule }, hint: expect.any(String) });
    expect((error as AetherError).message).toMatch(/^[^\p{C}]*$/u); // nothing that moves a cursor
    expect((await readdir(place.path, { recursive: true })).sort()).toEqual(["a.tgz", "out"]);
  });
});
