import { expect, test } from "bun:test";
import { renameSync } from "node:fs";
import { appendFile, chmod, mkdir, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { $ } from "bun";
import { createFollowed } from "../../harness/followed-folder.ts";

test("an atomic save of an editor is a change of that file", async () => {
  await using folder = await createFollowed({ "server.js": "1", "lib/a.js": "a" });
  const save = async (text: string) => {
    await writeFile(join(folder.path, ".server.js.swp"), text);
    await rename(join(folder.path, ".server.js.swp"), join(folder.path, "server.js"));
  };
  expect(await folder.edited(() => save("2"))).toContain("server.js");
  await save("3");
  expect(await folder.next()).toEqual(["server.js"]);
});

test("a new file is seen, also in folders that are new", async () => {
  await using folder = await createFollowed({ "server.js": "1" });
  expect(await folder.edited(() => folder.write({ "new.js": "n" }))).toEqual(["new.js"]);
  expect(await folder.edited(() => folder.write({ "lib/deep/a.js": "a" }))).toContain("lib/deep/a.js");
  expect(await folder.edited(() => folder.write({ "lib/deep/b.js": "b" }))).toEqual(["lib/deep/b.js"]);
  expect(await folder.edited(() => mkdir(join(folder.path, "empty")))).toEqual(["empty/"]);
});

test("a deleted file, and a deleted folder with all in it, are seen", async () => {
  await using folder = await createFollowed({ "server.js": "1", "old.js": "o", "lib/a.js": "a", "lib/b.js": "b" });
  expect(await folder.edited(() => unlink(join(folder.path, "old.js")))).toEqual(["old.js"]);
  await rm(join(folder.path, "lib"), { recursive: true });
  expect(await folder.next()).toEqual(["lib/a.js", "lib/b.js"]);
  expect(await folder.edited(() => folder.write({ "lib/a.js": "again" }))).toContain("lib/a.js");
  expect(await folder.edited(() => unlink(join(folder.path, "lib/a.js")))).toContain("lib/a.js");
});

test("a rename is the old name and the new one", async () => {
  await using folder = await createFollowed({ "server.js": "1", "lib/a.js": "a" });
  const moved = () => rename(join(folder.path, "lib/a.js"), join(folder.path, "lib/b.js"));
  expect(await folder.edited(moved)).toEqual(["lib/a.js", "lib/b.js"]);
});

test("a folder that is moved in is followed, as is one that took the place of another", async () => {
  await using folder = await createFollowed({ "server.js": "1", "lib/a.js": "a" });
  await using outside = await createFollowed({ "in/x.js": "x", "in/sub/y.js": "y" });
  const changed = await folder.edited(async () => {
    renameSync(join(folder.path, "lib"), join(folder.path, "before")); // with no look between the two
    renameSync(join(outside.path, "in"), join(folder.path, "lib"));
  });
  expect(changed).toEqual(["before/a.js", "lib/a.js", "lib/sub/y.js", "lib/x.js"]);
  for (const name of ["lib/sub/y.js", "lib/x.js", "before/a.js"]) {
    expect(await folder.edited(() => appendFile(join(folder.path, name), "more"))).toEqual([name]);
  }
});

test("a git checkout of 500 files is one change, and so is the way back", async () => {
  await using folder = await createFollowed({ "server.js": "1" });
  const git = (...args: string[]) =>
    $`git -c user.name=a -c user.email=a@example.com -c init.defaultBranch=main ${args}`.cwd(folder.path).quiet();
  const names = Array.from({ length: 500 }, (_, at) => `src/${at % 20}/file-${at}.js`).toSorted();
  await git("init");
  await git("add", ".");
  await git("commit", "-m", "one");
  await git("checkout", "-b", "other");
  expect(await folder.edited(() => folder.write(Object.fromEntries(names.map((name) => [name, name]))))).toEqual(
    expect.arrayContaining(names),
  );
  await git("add", ".");
  await git("commit", "-m", "two");
  for (const branch of ["main", "other"]) {
    const coming = folder.next(); // it waits while git writes, and must not take a part for the whole
    await git("checkout", branch);
    expect(await coming).toEqual(names);
    expect(await folder.isWhole()).toBe(true);
  }
});

test("while git holds its lock, nothing is taken for whole", async () => {
  await using folder = await createFollowed({ "server.js": "1", ".git/HEAD": "h" });
  await using witness = await createFollowed({ "server.js": "1" });
  await folder.write({ ".git/index.lock": "" });
  let hasCome = false;
  const coming = folder.next().finally(() => {
    hasCome = true;
  });
  await folder.write({ "a.js": "a" });
  for (const text of ["2", "3", "4", "5"]) await witness.edited(() => witness.write({ "server.js": text }));
  expect(hasCome).toBe(false);
  await folder.write({ "b.js": "b" });
  await unlink(join(folder.path, ".git/index.lock"));
  expect(await coming).toEqual(["a.js", "b.js"]);
});

test("a link that points elsewhere, and a file that becomes executable, are changes", async () => {
  await using folder = await createFollowed({ "a.js": "a", "b.js": "b" });
  expect(await folder.edited(() => symlink("a.js", join(folder.path, "main.js")))).toEqual(["main.js"]);
  await unlink(join(folder.path, "main.js"));
  await symlink("b.js", join(folder.path, "main.js"));
  expect(await folder.next()).toEqual(["main.js"]);
  expect(await folder.edited(() => chmod(join(folder.path, "a.js"), 0o755))).toEqual(["a.js"]);
  expect(await folder.isWhole()).toBe(true);
});

test("what is saved during a reload, in however many saves, makes one more", async () => {
  await using folder = await createFollowed({ "server.js": "0", "other.js": "0" });
  await folder.edited(() => folder.write({ "server.js": "1" }));
  // The caller works until it asks again.
  for (let at = 2; at < 30; at += 1) await folder.write({ "server.js": `${at}`, [`new-${at % 3}.js`]: `${at}` });
  expect(await folder.next()).toEqual(["new-0.js", "new-1.js", "new-2.js", "server.js"]);
  expect(await folder.isWhole()).toBe(true);
  expect(await folder.edited(() => folder.write({ "last.js": "1" }))).toEqual(["last.js"]);
});

test("what is not packed is no change, until .aetherignore says otherwise", async () => {
  await using folder = await createFollowed({ "server.js": "1", "logs/a.log": "a", ".aetherignore": "logs/\n" });
  await folder.write({ "logs/a.log": "b", ".env": "SECRET=1", "node_modules/x/index.js": "x", ".git/HEAD": "h" });
  await folder.write({ "server.js": "2" });
  expect(await folder.next()).toEqual(["server.js"]);
  expect(await folder.edited(() => folder.write({ ".aetherignore": "" }))).toEqual([".aetherignore", "logs/a.log"]);
});

test("a lockfile and .npmrc count although they are left out of the package", async () => {
  const left = { ".aetherignore": "package-lock.json\n", "package-lock.json": "{}", ".npmrc": "a=1" };
  await using folder = await createFollowed({ "server.js": "1", ...left });
  await folder.write({ "package-lock.json": "{ }" });
  expect(await folder.next()).toEqual(["package-lock.json"]);
  await folder.write({ ".npmrc": "a=2" });
  expect(await folder.next()).toEqual([".npmrc"]);
});

test("what cannot be packed is told once, and again when it can", async () => {
  await using folder = await createFollowed({ "server.js": "1", "lib/a.js": "a" });
  await symlink("/etc/hosts", join(folder.path, "lib/hosts"));
  expect(await folder.next()).toEqual([]);
  await unlink(join(folder.path, "lib/hosts"));
  expect(await folder.next()).toEqual([]);
  expect(await folder.edited(() => folder.write({ "lib/a.js": "b" }))).toEqual(["lib/a.js"]);
});
