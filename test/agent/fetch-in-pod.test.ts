import { describe, expect, test } from "bun:test";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { parsePodVerdict, workspaceNames } from "../../src/core/pod-agent.ts";
import type { Files } from "../harness/artifact-store.ts";
import { nodes } from "../harness/nodes.ts";
import { createPodFetch } from "../harness/pod-fetch.ts";
import { createSigner } from "../harness/signing.ts";
import { smallDisk, smallDiskTier } from "../harness/small-disk.ts";
import { waitFor } from "../harness/wait-for.ts";

const names = Object.values(workspaceNames).sort();
const app: Files = { "server.js": "console.log('one')", "lib/deep/part.js": "module.exports = 1" };
/** Enough files for a kill to find it unpacking. */
const large: Files = Object.fromEntries(
  Array.from({ length: 3_000 }, (_, at) => [`lib/${at % 40}/file-${at}.js`, `${at}`]),
);

describe.each(nodes())("on %s", (_, node) => {
  test("a release is fetched, verified, unpacked, and how it starts is written beside", async () => {
    await using pod = await createPodFetch(app, { node });
    const { code, verdict, said } = await pod.run();
    const took = { fetch_ms: expect.any(Number), unpack_ms: expect.any(Number) };
    expect({ code, verdict }).toEqual({ code: 0, verdict: { digest: pod.wanted.digest, ...took } });
    expect(parsePodVerdict(JSON.stringify(verdict))).toBeUndefined(); // no failure, to any server
    expect(said).toMatch(/^\[fetcher\] fetching [0-9a-f]{64} of shop\n\[fetcher\] fetched .*\n\[fetcher\] unpacked/);
    expect(await pod.contents()).toEqual({ names, files: app });
    expect(await pod.read(".aether-start")).toBe("node server.js");
    const [server, storage] = pod.store.requests;
    expect(server?.headers.get("authorization")).toBe("Bearer first");
    expect(storage?.headers.get("authorization")).toBeNull();
  });

  test("the release's start command counts, then the artifact's", async () => {
    await using pod = await createPodFetch(
      { ...app, ".aether/app.json": '{"start":"node other.js","port":3000}' },
      { node },
    );
    await pod.run();
    expect(await pod.read(".aether-start")).toBe("node other.js");
    const start = "PORT=1 node 'my server.js' && echo \"$HOME\" $(id) $$";
    expect((await pod.run({ start })).code).toBe(0);
    expect(await pod.read(".aether-start")).toBe(start);
  });

  test("bytes that are not the artifact's are never unpacked, and the verdict says so", async () => {
    await using pod = await createPodFetch(app, { node });
    pod.store.put(pod.wanted.digest, new TextEncoder().encode("other bytes"));
    const { code, verdict } = await pod.run();
    expect(code).toBe(1);
    expect(verdict).toEqual({
      reason: "digest_mismatch",
      message: expect.stringContaining(`not ${pod.wanted.digest}`),
      digest: pod.wanted.digest,
    });
    expect(await readdir(pod.wanted.workspace)).toEqual([]);
  });

  test("the right bytes that are no archive are unpack_failed", async () => {
    await using pod = await createPodFetch(app, { node });
    const bytes = new TextEncoder().encode("plain text");
    const digest = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    pod.store.put(digest, bytes);
    const { code, verdict } = await pod.run({ digest, downloadUrl: pod.store.downloadUrl(digest) });
    expect([code, verdict.reason]).toEqual([1, "unpack_failed"]);
    expect(await readdir(pod.wanted.workspace)).toEqual([]);
  });

  test.each([403, 404])("%d is a verdict, in the server's own words", async (status) => {
    await using pod = await createPodFetch(app, { node });
    const refusal = { code: "not_found", message: "There is no such artifact.", request_id: "1" };
    pod.store.refusals.set(pod.wanted.digest, () => Response.json(refusal, { status }));
    const { code, verdict } = await pod.run();
    expect([code, verdict.reason]).toEqual([1, "artifact_not_found"]);
    expect(verdict.message).toContain(`the server answered ${status} (There is no such artifact.)`);
    expect(pod.store.requests).toHaveLength(1);
  });

  test("a token that is refused is read once more, and then it is a verdict", async () => {
    await using pod = await createPodFetch(app, { node });
    pod.store.refusals.set(pod.wanted.digest, () => new Response("", { status: 401 }));
    const { code, verdict } = await pod.run();
    expect([code, verdict.reason]).toEqual([1, "artifact_not_found"]);
    expect(pod.store.requests).toHaveLength(2);
  });

  test("a redirect to anywhere but the storage is refused without asking there", async () => {
    await using pod = await createPodFetch(app, { node });
    const { code, verdict } = await pod.run({ storageOrigins: ["http://127.0.0.1:1"] });
    expect([code, verdict.reason]).toEqual([1, "artifact_not_found"]);
    expect(verdict.message).toContain("which is not the storage");
    expect(pod.store.requests).toHaveLength(1);
  });

  test("a server that is away is waited for, with the token as it is then", async () => {
    await using pod = await createPodFetch(app, { node });
    pod.store.refusals.set(pod.wanted.digest, () => new Response("", { status: 503 }));
    const running = pod.start();
    await waitFor("two waits", () => running.said().split("waiting").length > 2);
    expect(running.said()).toMatch(/\[fetcher\] waiting \d\.\d s: the server answered 503\n/);
    await writeFile(pod.wanted.tokenFile ?? "", "second\n");
    pod.store.refusals.clear();
    expect(await running.ended()).toBe(0);
    expect(pod.store.requests.at(-2)?.headers.get("authorization")).toBe("Bearer second");
    expect((await pod.contents()).files).toEqual(app);
  });

  test("a storage that is away, and away again in the middle, is waited for", async () => {
    await using pod = await createPodFetch(app, { node });
    const bytes = await fetch(`${pod.store.storageOrigin}/${pod.wanted.digest}`).then((answer) => answer.bytes());
    const storage = await brieflyThere(bytes);
    const redirect = () => new Response(null, { status: 307, headers: { location: `${storage.origin}/object` } });
    pod.store.refusals.set(pod.wanted.digest, redirect);
    const running = pod.start({ storageOrigins: [storage.origin] });
    await waitFor("the connection to be refused", () => running.said().includes("ECONNREFUSED"));
    await storage.appear();
    expect(await running.ended()).toBe(0);
    expect(storage.ranges[0]).toBeUndefined();
    expect(storage.ranges.at(-1)).toMatch(/^bytes=[1-9]\d*-$/);
    expect((await pod.contents()).files).toEqual(app);
    await storage.vanish();
  });

  test("where a signature is demanded, none or a stranger's is a verdict before a byte is fetched", async () => {
    await using pod = await createPodFetch(app, { node });
    const signer = createSigner();
    const { digest } = pod.wanted;
    const publicKeys = [signer.publicKey];
    expect((await pod.run({ publicKeys })).verdict.reason).toBe("signature_invalid");
    pod.store.signatures.set(digest, createSigner().sign(digest));
    expect((await pod.run({ publicKeys })).verdict.reason).toBe("signature_invalid");
    expect(pod.store.requests.every(({ url }) => url.includes("/download/"))).toBe(true);
    pod.store.signatures.set(digest, signer.sign(digest));
    expect((await pod.run({ publicKeys })).code).toBe(0);
  });

  test("a second run over a filled volume asks for nothing and changes nothing", async () => {
    await using pod = await createPodFetch({ ...app, ".aether/manifest.json": await manifestOf(app) }, { node });
    await pod.run();
    const asked = pod.store.requests.length;
    const { code, said } = await pod.run();
    expect([code, pod.store.requests.length]).toEqual([0, asked]);
    expect(said).toContain("it lies here whole");
    expect(await pod.contents()).toEqual({ names, files: app });
  });

  test.each([
    ["was changed", (folder: string) => writeFile(join(folder, "server.js"), "changed")],
    ["was added", (folder: string) => writeFile(join(folder, "added.js"), "added")],
    ["became a link", (folder: string) => symlink("server.js", join(folder, "link.js"))],
  ])("a release of which a file %s is replaced, not repaired", async (_, change) => {
    await using pod = await createPodFetch({ ...app, ".aether/manifest.json": await manifestOf(app) }, { node });
    await pod.run();
    await change(join(pod.wanted.workspace, "app"));
    const { code, said } = await pod.run();
    expect([code, said.includes("lies here whole")]).toEqual([0, false]);
    expect(await pod.contents()).toEqual({ names, files: app });
  });

  test("a volume that holds another release, a file or a link in its place gets this one and nothing of the other", async () => {
    await using pod = await createPodFetch(app, { node });
    await pod.run(await pod.store.add({ "old.js": "old", "server.js": "old" }));
    await pod.run();
    expect(await pod.contents()).toEqual({ names, files: app });

    await using filled = await createPodFetch(app, { node });
    await mkdir(join(filled.folder, "elsewhere"));
    await mkdir(filled.wanted.workspace);
    await symlink("../elsewhere", join(filled.wanted.workspace, "app"));
    expect((await filled.run()).code).toBe(0);
    expect(await filled.contents()).toEqual({ names, files: app });
    expect(await readdir(join(filled.folder, "elsewhere"))).toEqual([]);
  });

  test("told to end, it ends without a verdict", async () => {
    await using pod = await createPodFetch(app, { node });
    pod.store.refusals.set(pod.wanted.digest, () => new Response("", { status: 503 }));
    const running = pod.start();
    await waitFor("a wait", () => running.said().includes("waiting"));
    expect(await running.kill("SIGTERM")).toBe(143);
    expect(await readdir(pod.folder)).not.toContain("termination-log");
  });

  const has = (pod: { wanted: { workspace: string } }, start: string) => async () =>
    (await readdir(pod.wanted.workspace).catch(() => [])).some((name) => name.startsWith(start));

  test.each([
    ["downloading", ".download-", large],
    ["unpacking", ".aether-unpack-", large],
    ["done with unpacking", "app", large],
  ])("killed while %s, the next run leaves the release and nothing else", async (_, sign, files) => {
    await using pod = await createPodFetch(files, { node });
    for (let kill = 0; kill < 3; kill += 1) {
      const running = pod.start();
      await waitFor(sign, has(pod, sign), { everyMs: 1 });
      await running.kill();
    }
    expect((await pod.run()).code).toBe(0);
    expect(await pod.contents()).toEqual({ names, files });
  });

  test("killed while it replaces another release, the next run leaves this one and nothing else", async () => {
    await using pod = await createPodFetch(app, { node });
    const other = await pod.store.add(large);
    expect((await pod.run(other)).code).toBe(0);
    const running = pod.start();
    await waitFor("it to be set aside", has(pod, ".aether-unpack-"), { everyMs: 1 });
    await running.kill();
    expect((await pod.run()).code).toBe(0);
    expect(await pod.contents()).toEqual({ names, files: app });
  });

  const disk = smallDiskTier();
  test.if(disk.available)("a full disk is disk_full, with what is needed, and leaves nothing", async () => {
    await using small = await smallDisk(2);
    await using pod = await createPodFetch({ ...app, "large.bin": "x".repeat(4_000_000) }, { node });
    const { code, verdict } = await pod.run({ workspace: small.path });
    expect([code, verdict.reason]).toEqual([1, "disk_full"]);
    expect(verdict.message).toContain(small.path);
    expect(await readdir(small.path)).toEqual([]);
  });
});

async function manifestOf(files: Files): Promise<string> {
  const sha256 = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest("hex");
  const listed = Object.keys(files).sort();
  return JSON.stringify({ files: listed.map((path) => ({ path, sha256: sha256(files[path] ?? "") })) });
}

/** A storage on a port where nothing listens yet; its first answer is cut in the middle. */
async function brieflyThere(bytes: Uint8Array) {
  const ranges: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const range = request.headers.range;
    ranges.push(range);
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    const headers = { etag: '"one"', "content-length": bytes.length - from };
    const part = { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
    response.writeHead(range ? 206 : 200, range ? { ...headers, ...part } : headers);
    if (range) response.end(bytes.subarray(from));
    else response.write(bytes.subarray(0, bytes.length / 2), () => request.socket.destroy());
  });
  const listen = (port: number) => new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
  await listen(0);
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const vanish = () => new Promise((done) => server.close(done));
  await vanish();
  return { origin: `http://127.0.0.1:${port}`, ranges, appear: () => listen(port), vanish };
}
