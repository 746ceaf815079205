import { expect, test } from "bun:test";
import { existsSync, readlinkSync } from "node:fs";
import { readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hotNames } from "../../../src/core/pod-hot.ts";
import { refusal } from "../../harness/api-server.ts";
import { busyApp } from "../../harness/busy-app.ts";
import { createHotPod } from "../../harness/hot-pod.ts";
import { nodes } from "../../harness/nodes.ts";
import { waitFor } from "../../harness/wait-for.ts";

const downloads = (pod: Awaited<ReturnType<typeof createHotPod>>): number => pod.store.requests.length;

test.each(nodes())(
  "the release's own code comes first, then what the annotation names, told by the markers, on %s",
  async (_, node) => {
    await using pod = await createHotPod(busyApp("one"), { node });
    await pod.outcome(pod.base);
    expect(await pod.get()).toBe("one");
    const two = await pod.add(busyApp("two"));
    pod.annotate(`sha256:${two}`);
    await pod.outcome(two);
    expect(await pod.get()).toBe("two");
    expect(pod.markers()).toEqual([
      `[fetcher] new digest ${pod.base}`,
      expect.stringMatching(new RegExp(`^REFRESH_OK digest=${pod.base} ms=\\d+$`)),
      `[fetcher] new digest ${two}`,
      expect.stringMatching(new RegExp(`^REFRESH_OK digest=${two} ms=\\d+$`)),
    ]);
    expect(readlinkSync(join(pod.paths.workspace, "current"))).toMatch(/^[abcd]$/);
  },
);

test("a pod that starts later begins with the annotation, and never fetches the base", async () => {
  await using pod = await createHotPod(busyApp("one"));
  const two = await pod.add(busyApp("two"));
  await pod.killFetcher();
  pod.annotate(two);
  await rm(pod.paths.control, { recursive: true, force: true }); // as a pod that is new
  const before = downloads(pod);
  pod.startFetcher();
  await pod.outcome(two);
  expect(await pod.get()).toBe("two");
  expect(pod.store.requests.slice(before).some(({ url }) => url.includes(pod.base))).toBe(false);
});

test("a digest that is the same does nothing, whatever else changes: no fetch, no restart", async () => {
  await using pod = await createHotPod(busyApp("one"), { fetchIntervalSec: 1 });
  await pod.outcome(pod.base);
  const [before, pid] = [downloads(pod), await pod.get("/pid")];
  pod.annotate(pod.base);
  pod.annotate(`sha256:${pod.base}`);
  pod.deployment.annotate({ "example.com/note": "hello" });
  const looks = () => pod.requests.filter(({ path }) => path.endsWith("/shop")).length;
  const seen = looks();
  await waitFor("two more looks", () => looks() >= seen + 2);
  expect([downloads(pod), await pod.get("/pid"), pod.markers().length]).toEqual([before, pid, 2]);
});

const failing: [string, Record<string, string>, string][] = [
  ["crashes", { "server.js": "console.log('REFRESH_OK digest=0 ms=1'); process.exit(1)" }, "start"],
  [
    "fails its health check",
    { ...busyApp("ill"), ".aether/app.json": '{"start":"node server.js","health":{"path":"/ill"}}' },
    "health",
  ],
];

test.each(failing)(
  "a version that %s is told with its last lines, changes nothing, and is left alone",
  async (_, files, reason) => {
    await using pod = await createHotPod(busyApp("one"), { startTimeoutSec: 2, fetchIntervalSec: 1 });
    await pod.outcome(pod.base);
    const pid = await pod.get("/pid");
    const bad = await pod.add(files);
    pod.annotate(bad);
    expect(await pod.outcome(bad)).toBe(`REFRESH_FAIL reason=${reason} digest=${bad}`);
    expect(await pod.get("/pid")).toBe(pid);
    expect(pod.said()).toContain("[fetcher]   | ");
    const [before, marked] = [downloads(pod), pod.markers().length];
    pod.deployment.annotate({ "example.com/note": "again" });
    await pod.killFetcher();
    pod.startFetcher();
    const looks = () => pod.requests.filter(({ path }) => path.endsWith("/shop")).length;
    const seen = looks();
    await waitFor("two more looks", () => looks() >= seen + 2);
    expect([downloads(pod), pod.markers().length]).toEqual([before, marked]);
    const three = await pod.add(busyApp("three"));
    pod.annotate(three);
    await pod.outcome(three);
    expect(await pod.get()).toBe("three");
  },
);

test.each<[string, string, (pod: Awaited<ReturnType<typeof createHotPod>>, digest: string) => void]>([
  ["that nobody has", "not_found", () => undefined],
  [
    "that is not permitted",
    "unauthorized",
    (pod, digest) => void pod.store.refusals.set(digest, () => refusal(403, { code: "forbidden", message: "no" })),
  ],
  [
    "that is not signed",
    "signature",
    (pod, digest) =>
      void pod.store.refusals.set(digest, () => refusal(403, { code: "signature_required", message: "no" })),
  ],
  ["whose bytes are others", "digest_mismatch", (pod, digest) => void pod.store.put(digest, new Uint8Array([1, 2, 3]))],
  [
    "whose storage fails again and again",
    "download",
    (pod, digest) => void pod.store.refusals.set(digest, () => refusal(500)),
  ],
])("a digest %s is REFRESH_FAIL reason=%s, and the running code stays", async (_, reason, arrange) => {
  await using pod = await createHotPod(busyApp("one"), { fetchMaxRetries: 2 });
  await pod.outcome(pod.base);
  const bad = "ab".repeat(32);
  arrange(pod, bad);
  pod.annotate(bad);
  expect(await pod.outcome(bad)).toBe(`REFRESH_FAIL reason=${reason} digest=${bad}`);
  expect(await pod.get()).toBe("one");
});

test("an archive that is none is REFRESH_FAIL reason=unpack", async () => {
  await using pod = await createHotPod(busyApp("one"));
  await pod.outcome(pod.base);
  const bytes = new TextEncoder().encode("plain text");
  const bad = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  pod.store.put(bad, bytes);
  pod.annotate(bad);
  expect(await pod.outcome(bad)).toBe(`REFRESH_FAIL reason=unpack digest=${bad}`);
});

test("an annotation that is no digest is reported, and the running code stays", async () => {
  await using pod = await createHotPod(busyApp("one"));
  await pod.outcome(pod.base);
  pod.annotate("latest");
  await waitFor("the report", () => pod.said().includes('is "latest"'));
  expect(await pod.get()).toBe("one");
  expect(pod.markers()).toHaveLength(2);
});

test("where the annotated digest cannot be had, a new pod serves the release's own", async () => {
  await using pod = await createHotPod(busyApp("one"));
  await pod.killFetcher();
  await rm(pod.paths.control, { recursive: true, force: true });
  pod.annotate("ab".repeat(32));
  pod.startFetcher();
  await pod.outcome(pod.base);
  expect(await pod.get()).toBe("one");
  expect(pod.markers().slice(-4)).toEqual([
    `[fetcher] new digest ${"ab".repeat(32)}`,
    `REFRESH_FAIL reason=not_found digest=${"ab".repeat(32)}`,
    `[fetcher] new digest ${pod.base}`,
    expect.stringContaining("REFRESH_OK"),
  ]);
});

test("a pod that has nothing to run ends with the verdict that an init container leaves, and says nothing is ready", async () => {
  await using pod = await createHotPod(busyApp("one"), { digest: "cd".repeat(32) });
  expect(await pod.containers.fetcher.exited).toBe(1);
  expect(JSON.parse(await readFile(pod.terminationFile, "utf8"))).toMatchObject({ reason: "digest_mismatch" });
  expect(existsSync(join(pod.paths.control, hotNames.wish))).toBe(false);
});

test("a newer digest gives up the one that is being tried", async () => {
  await using pod = await createHotPod(busyApp("one"));
  await pod.outcome(pod.base);
  const stuck = await pod.add({ "server.js": "console.log('stuck'); setInterval(() => {}, 1000)" });
  pod.annotate(stuck);
  await waitFor("it to be tried", () => pod.appSaid().includes("stuck"));
  const three = await pod.add(busyApp("three"));
  pod.annotate(three);
  await pod.outcome(three);
  expect(await pod.get()).toBe("three");
  expect(pod.markers().some((line) => line.startsWith("REFRESH_") && line.includes(stuck))).toBe(false);
});

test("going back while a version is tried leaves the one that serves as it is", async () => {
  await using pod = await createHotPod(busyApp("one"));
  await pod.outcome(pod.base);
  const pid = await pod.get("/pid");
  const stuck = await pod.add({ "server.js": "console.log('stuck'); setInterval(() => {}, 1000)" });
  pod.annotate(stuck);
  await waitFor("it to be tried", () => pod.appSaid().includes("stuck"));
  pod.annotate(pod.base);
  const status = async () => JSON.parse(await readFile(join(pod.paths.workspace, hotNames.status), "utf8"));
  await waitFor("it to be given up", async () => (await status()).busy.length === 1);
  expect(await pod.get("/pid")).toBe(pid);
});

test("what a watch does not tell is found by looking, as often as the annotation says", async () => {
  await using pod = await createHotPod(busyApp("one"));
  await pod.outcome(pod.base);
  const two = await pod.add(busyApp("two"));
  pod.deployment.annotate({ "aether.dev/fetch-interval": "1" });
  pod.deployment.isSilent = true;
  pod.annotate(two);
  await pod.outcome(two);
  expect(await pod.get()).toBe("two");
});

test("a watch goes on where it was, begins anew when the server has forgotten that, and shows the token as it is now", async () => {
  await using pod = await createHotPod(busyApp("one"));
  await pod.outcome(pod.base);
  const watches = () => pod.requests.filter(({ query }) => query.has("watch"));
  await writeFile(join(pod.apiFolder, "token"), "second-token");
  let refusals = 1;
  pod.deployment.before = (request) =>
    request.url.includes("resourceVersion=") && refusals-- > 0 ? refusal(410, { message: "too old" }) : undefined;
  const first = watches().length;
  pod.deployment.endWatches();
  await waitFor("two more watches", () => watches().length >= first + 2);
  const [resumed, anew] = watches().slice(first);
  expect([resumed?.query.get("resourceVersion"), anew?.query.get("resourceVersion")]).toEqual(["100", null]);
  expect(resumed?.headers.get("authorization")).toBe("Bearer second-token");
  const two = await pod.add(busyApp("two"));
  await waitFor("a watch", () => pod.deployment.watching() > 0);
  pod.annotate(two);
  await pod.outcome(two);
});

test("an API server that is away keeps no pod from its code, and one whose certificate is a stranger's is not spoken to", async () => {
  await using pod = await createHotPod(busyApp("one"));
  await pod.killFetcher();
  await rm(pod.paths.control, { recursive: true, force: true });
  await writeFile(
    join(pod.apiFolder, "ca.crt"),
    await Bun.file(`${import.meta.dir}/../../fixtures/tls/authority.pem`).text(),
  );
  const [before, two] = [pod.requests.length, await pod.add(busyApp("two"))];
  pod.annotate(two);
  pod.startFetcher();
  await pod.outcome(pod.base);
  expect(pod.requests.length).toBe(before);
  expect(pod.said()).toMatch(/certificate|unable to verify/i);
});

test("a fetcher that is killed anywhere goes on where it was", async () => {
  await using pod = await createHotPod(busyApp("v0"));
  await pod.outcome(pod.base);
  for (let version = 1; version <= 8; version += 1) {
    const digest = await pod.add({ ...busyApp(`v${version}`), "large.txt": `${version}`.repeat(2_000_000) });
    pod.annotate(digest);
    await Bun.sleep(version * 40); // anywhere: fetching, unpacking, waiting for the first answer
    await pod.killFetcher();
    pod.startFetcher();
    await waitFor("the version", () => pod.get().then((text) => text === `v${version}`), { withinMs: 30_000 });
  }
});

test("what an application writes in the supervisor's place is not believed, and harms nobody", async () => {
  await using pod = await createHotPod(busyApp("one"));
  await pod.outcome(pod.base);
  const path = join(pod.paths.workspace, hotNames.status);
  for (const text of [
    "",
    "{",
    "[]",
    "null",
    '{"busy":7,"outcome":{"seq":"2","ok":1}}',
    `{"busy":["/"],"outcome":7,"x":"${"x".repeat(600_000)}"}`,
  ])
    await writeFile(path, text);
  await rm(path);
  await symlink("/proc/self/environ", path);
  const two = await pod.add(busyApp("two"));
  pod.annotate(two);
  await pod.outcome(two);
  expect(await pod.get()).toBe("two");
});

test("a version that does not stay up is REFRESH_FAIL reason=gone_back, and left alone", async () => {
  await using pod = await createHotPod(busyApp("one"));
  await pod.outcome(pod.base);
  const two = await pod.add({ "server.js": `setTimeout(() => process.exit(4), 300);${busyApp("two")["server.js"]}` });
  pod.annotate(two);
  expect(await pod.outcome(two)).toContain("REFRESH_OK");
  expect(await pod.outcome(two, 2)).toBe(`REFRESH_FAIL reason=gone_back digest=${two}`);
  expect(await pod.get()).toBe("one");
  pod.deployment.annotate({ "example.com/note": "again" });
  const three = await pod.add(busyApp("three"));
  pod.annotate(three);
  await pod.outcome(three);
  expect(pod.markers()).toHaveLength(7);
});

test("a first version that comes up at last is REFRESH_OK after its REFRESH_FAIL", async () => {
  const late = `const fs = require("fs"); fs.appendFileSync("tries", "."); if (fs.statSync("tries").size < 6) process.exit(1);`;
  await using pod = await createHotPod({ "server.js": `${late}${busyApp("one")["server.js"]}` });
  expect(await pod.outcome(pod.base)).toBe(`REFRESH_FAIL reason=start digest=${pod.base}`);
  expect(await pod.outcome(pod.base, 2)).toContain("REFRESH_OK");
  expect(await pod.get()).toBe("one");
});

test("the server is told what became of each digest; what it could not hear waits until it is back", async () => {
  await using pod = await createHotPod(busyApp("one"));
  await pod.outcome(pod.base);
  const { reports } = pod.store;
  await waitFor("the first report", () => reports.taken.length === 1);
  reports.status = 503;
  const bad = await pod.add({ "server.js": "console.error('no database'); process.exit(1)" });
  pod.annotate(bad);
  await pod.outcome(bad);
  const two = await pod.add(busyApp("two"));
  pod.annotate(two);
  await pod.outcome(two);
  expect(reports.taken).toHaveLength(1);
  reports.status = 204;
  await waitFor("the others", () => reports.taken.length === 3, { withinMs: 20_000 });
  expect(reports.taken).toMatchObject([
    { digest: pod.base, outcome: "ok" },
    { digest: bad, outcome: "fail", reason: "start", log: ["no database"] },
    {
      digest: two,
      outcome: "ok",
      ms: expect.any(Number),
      at: expect.stringMatching(/^20.*Z$/),
      pod: expect.any(String),
    },
  ]);
  expect(new Set(reports.authorizations)).toEqual(new Set(["Bearer our-token"]));
});

test("a server that takes no reports is told no report twice, and nothing else changes", async () => {
  await using pod = await createHotPod(busyApp("one"));
  pod.store.reports.status = 404;
  await pod.outcome(pod.base);
  const two = await pod.add(busyApp("two"));
  pod.annotate(two);
  await pod.outcome(two);
  await waitFor("both to be sent", () => pod.store.reports.authorizations.length === 2);
  expect(pod.said().match(/takes no reports/g)).toHaveLength(1);
});

test("a control plane that is away is waited for, and an annotation made meanwhile takes effect when it is back", async () => {
  await using pod = await createHotPod(busyApp("one"), { fetchMaxRetries: 1 });
  await pod.outcome(pod.base);
  const two = await pod.add(busyApp("two"));
  pod.store.refusals.set(two, () => refusal(503));
  pod.annotate(two);
  await waitFor("some tries", () => (pod.said().match(/\[fetcher\] waiting/g) ?? []).length > 3);
  expect(await pod.get()).toBe("one");
  pod.store.refusals.delete(two);
  expect(await pod.outcome(two)).toContain("REFRESH_OK");
  expect(await pod.get()).toBe("two");
});

test("slots that nobody needs are emptied, and those that serve or may be gone back to are not", async () => {
  await using pod = await createHotPod(busyApp("v0"), { drainSec: 1 });
  await pod.outcome(pod.base);
  const slots = async () => (await readdir(pod.paths.workspace)).filter((name) => /^[abcd]$/.test(name));
  const last = [pod.base];
  for (let version = 1; version <= 6; version += 1) {
    const digest = await pod.add(busyApp(`v${version}`));
    last.push(digest);
    pod.annotate(digest);
    await pod.outcome(digest);
  }
  await waitFor("two slots to be left", async () => (await slots()).length === 2);
  const digests = (await slots()).map(
    async (name) =>
      JSON.parse(await readFile(join(pod.paths.workspace, name, ".aether", "unpacked.json"), "utf8")).digest,
  );
  expect((await Promise.all(digests)).sort()).toEqual(last.slice(-2).sort());
  await waitFor("what was put aside to be gone", async () => {
    const names = await readdir(pod.paths.workspace);
    return !names.some((name) => name.startsWith(".aether-old"));
  });
});
