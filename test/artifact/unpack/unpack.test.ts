import { expect, test } from "bun:test";
import { lstat, readdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { unpackArtifact } from "../../../src/artifact/unpack/unpack.ts";
import { archive, file, folder, link, manifest, sha256 } from "../../harness/tar-archive.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";

test("an archive becomes a folder with its files, links and modes", async () => {
  await using place = await temporaryFolder();
  const bytes = archive(
    folder("./"),
    file("./run.sh", "#!/bin/sh", { mode: 0o4711 }),
    link("./bin", "lib/tool.js"),
    file("./lib/tool.js", "tool", { mode: 0o600 }),
    folder("./empty/", { mode: 0 }),
  );
  const path = join(place.path, "a.tgz");
  await writeFile(path, bytes);
  const targetFolder = join(place.path, "out", "release");

  const result = await unpackArtifact({ path, digest: sha256(bytes), targetFolder });

  expect(result).toEqual({ files: 3, bytes: 13, reused: false });
  expect(await readFile(join(targetFolder, "bin"), "utf8")).toBe("tool");
  expect(await readlink(join(targetFolder, "bin"))).toBe("lib/tool.js");
  expect((await stat(join(targetFolder, "run.sh"))).mode & 0o7777).toBe(0o755);
  expect((await stat(join(targetFolder, "lib/tool.js"))).mode & 0o7777).toBe(0o644);
  expect((await lstat(join(targetFolder, "empty"))).mode & 0o7777).toBe(0o755);
  expect(await readdir(join(place.path, "out"))).toEqual(["release"]);
});

test("a manifest that agrees is accepted", async () => {
  await using place = await temporaryFolder();
  const bytes = archive(file("a.js", "a"), link("b.js", "a.js"), manifest({ "a.js": "a", "b.js": "a.js" }));
  const path = join(place.path, "a.tgz");
  await writeFile(path, bytes);

  const result = await unpackArtifact({ path, digest: sha256(bytes), targetFolder: join(place.path, "release") });

  expect(result.files).toBe(3);
});
