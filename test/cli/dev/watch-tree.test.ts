import { expect, test } from "bun:test";
import { join } from "node:path";
import { folderOf, writeFiles } from "../../harness/files.ts";
import { createFollowed } from "../../harness/followed-folder.ts";
import { lines } from "../../harness/lines-of.ts";
import { tier } from "../../harness/tier.ts";

const follower = join(import.meta.dir, "..", "..", "harness", "few-watches.ts");

/** A user namespace has limits of its own, which a test may lower for itself alone. */
const limited = (watches: number, argv: string[]) => [
  "unshare",
  "-Ur",
  "sh",
  "-c",
  `echo ${watches} > /proc/sys/user/max_inotify_watches && exec "$@"`,
  "sh",
  ...argv,
];

const namespaces = tier("userns", () =>
  Bun.which("unshare") !== null && Bun.spawnSync(limited(8, ["true"])).success
    ? undefined
    : "unshare -Ur cannot set inotify's limit here",
);

test.skipIf(!namespaces.available)(
  "where no more can be watched, that is said once, and looking finds the changes",
  async () => {
    const folders = Array.from({ length: 12 }, (_, at) => [`lib-${at}/a.js`, "1"]);
    await using folder = await folderOf(Object.fromEntries(folders));
    await using followed = lines(limited(4, [process.execPath, follower, folder.path]));
    const { warning } = JSON.parse((await followed.next()) ?? "");
    expect(warning).toContain("max_user_watches is used up");
    expect(warning).toContain("sudo sysctl fs.inotify.max_user_watches=");
    expect(JSON.parse((await followed.next()) ?? "")).toEqual({ changed: [] });
    for (const name of ["lib-0/a.js", "lib-11/a.js", "lib-11/b.js"]) {
      await writeFiles(folder.path, { [name]: `${name} again` });
      expect(JSON.parse((await followed.next()) ?? "")).toEqual({ changed: [name] });
    }
  },
);

test("a change without a hint is found by the clock", async () => {
  await using folder = await createFollowed({ "server.js": "1" }, { safetyMs: 20 });
  // Nothing in node_modules is watched, but a workspace's own is packed.
  const changed = () => folder.write({ "packages/a/node_modules/x/index.js": "x" });
  await folder.edited(changed);
  expect(await folder.edited(() => folder.write({ "packages/a/node_modules/x/index.js": "y" }))).toEqual([
    "packages/a/node_modules/x/index.js",
  ]);
});
