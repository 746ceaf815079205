import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Files, packFiles } from "../harness/artifact-store.ts";
import { createUser, startServe, testBinary } from "../harness/binary.ts";
import { digestOf, put } from "../harness/control-plane.ts";
import { writeFiles } from "../harness/files.ts";
import { s3Tier } from "../harness/object-store.ts";
import { postgresTier } from "../harness/postgres.ts";
import { packageJson } from "../harness/project.ts";
import { type ReleaseRequest, releaseOnce } from "../harness/release-client.ts";
import { embeddedParts, postgresAndS3Parts, postgresParts, type ServedParts } from "../harness/served-parts.ts";
import { answering } from "../harness/tiny-apps.ts";
import { waitFor } from "../harness/wait-for.ts";

const whole = ["artifact-reserved", "during-rehash", "verified", "artifact-stored", "deployment-created"];
const inParts = ["multipart-created", "part-presigned", "multipart-joined", "during-rehash", "artifact-stored"];
type Point = [string, Partial<ReleaseRequest>];
const points: Point[] = [
  ...whole.map((point): Point => [point, {}]),
  ...inParts.map((point): Point => [point, { parts: 3 }]),
];

const isFull = process.env.AETHER_TEST_FULL === "1";
/** On Postgres the code is the same, and only what crosses a transaction differs: these, and all in a full run. */
const crossing: Point[] = [
  ["during-rehash", {}],
  ["artifact-stored", {}],
  ["deployment-created", {}],
  ["multipart-joined", { parts: 3 }],
];
/** In a bucket it is uploads in parts that differ, whose parts have 5 MiB at least. */
const large = { "asset.txt": randomBytes(12_000_000).toString("base64") };
const inBucket: Point[] = (isFull ? inParts : ["multipart-created", "part-presigned", "multipart-joined"]).map(
  (point) => [point, { parts: 2 }],
);

function killPoints(list: Point[], open: () => Promise<ServedParts>, more: Files = {}): void {
  test.each(list)(
    "a server killed at %s %p, and started again, ends with one release that runs (K1-K6, I1-I3, I5)",
    async (point, how) => {
      await using parts = await open();
      await using user = await createUser(testBinary);
      const { env } = parts;
      const bytes = await packFiles({ ...answering("it runs"), ...more });
      const request = { app: "shop", bytes, key: "one key", ...how };
      const digest = digestOf(request.bytes);

      const killed = await startServe(user, { env: { ...env, AETHER_CRASH_AT: point } });
      await expect(releaseOnce(killed.api, request)).rejects.toThrow();
      expect(await killed.ended).toBe(128 + 9);

      await using server = await startServe(user, { env });
      const { id } = await releaseOnce(server.api, request);
      expect((await releaseOnce(server.api, request)).id).toBe(id);
      const get = async <T = unknown>(path: string) => (await (await fetch(`${server.api}${path}`)).json()) as T;
      const isRunning = async () => (await get<{ status: string }>(`/deployments/${id}/status`)).status === "running";
      await waitFor("the release to run", isRunning, { withinMs: 60_000 });
      expect(await (await server.ask("shop")).text()).toBe("it runs");
      expect(await get("/apps/shop/deployments")).toMatchObject([{ id, status: "running", version: 1 }]);
      expect(await get("/artifacts")).toMatchObject([{ digest, hashed: true, size_bytes: request.bytes.length }]);
      const download = await fetch(`${server.api}/artifacts/${digest}/download`);
      expect(digestOf(new Uint8Array(await download.arrayBuffer()))).toBe(digest);
    },
    120_000,
  );
}

const hasPostgres = postgresTier().available;
describe("on PGlite", () => killPoints(points, embeddedParts));
describe.skipIf(!hasPostgres)("on Postgres", () => killPoints(isFull ? points : crossing, postgresParts));
describe.skipIf(!hasPostgres || !s3Tier().available)("on Postgres and S3", () =>
  killPoints(inBucket, postgresAndS3Parts, large),
);

test.each(["bytes-given-up", "bytes-removed"])(
  "a server killed at %s while an upload is given up, and started again, removes its bytes and takes them anew",
  async (point) => {
    await using user = await createUser(testBinary);
    const bytes = await packFiles(answering("it runs"));
    const digest = digestOf(bytes);
    const announced = JSON.stringify({ app_name: "shop", digest, size_bytes: bytes.length });
    const killed = await startServe(user, { env: { AETHER_CRASH_AT: point } });
    const headers = { "content-type": "application/json" };
    const asked = await fetch(`${killed.api}/artifacts/presign`, { method: "POST", headers, body: announced });
    expect((await put((await asked.json()) as Parameters<typeof put>[0], bytes)).status).toBe(200);
    const giveUp = (api: string) => fetch(`${api}/artifacts/${digest}/upload?app=shop`, { method: "DELETE" });
    await expect(giveUp(killed.api)).rejects.toThrow();
    expect(await killed.ended).toBe(128 + 9);

    await using server = await startServe(user);
    expect([204, 404]).toContain((await giveUp(server.api)).status); // 404: a poller was faster
    expect((await fetch(`${server.api}/artifacts/${digest}`, { method: "HEAD" })).status).toBe(404);
    const { id } = await releaseOnce(server.api, { app: "shop", bytes, key: "one key" });
    expect(id).toBeString();
    const download = await fetch(`${server.api}/artifacts/${digest}/download`);
    expect(digestOf(new Uint8Array(await download.arrayBuffer()))).toBe(digest);
  },
  120_000,
);

test("the command line, killed with its server after the parts were joined, ends the upload when it is run again (K4)", async () => {
  await using user = await createUser(testBinary);
  const files = { "package.json": packageJson("shop"), ...answering("it runs") };
  const folder = await writeFiles(join(user.path, "shop"), files);
  const env = { AETHER_MULTIPART_THRESHOLD_BYTES: "0" };
  const killed = await startServe(user, { env: { ...env, AETHER_CRASH_AT: "multipart-joined" } });
  const client = user.spawn(["deploy", folder, "--server", killed.api]);
  expect(await killed.ended).toBe(128 + 9);
  client.kill("SIGKILL");
  await client.exited;
  await using server = await startServe(user, { env });
  const { code, stderr } = await user.run(["deploy", folder, "--server", server.api]);
  expect(code === 0 ? "" : stderr).toBe("");
  expect(await (await server.ask("shop")).text()).toBe("it runs");
}, 120_000);

test("the released binary knows no kill points: their variable is refused like any unknown one", async () => {
  await using user = await createUser();
  const { code, stderr } = await user.run(["serve", "--port", "0"], { env: { AETHER_CRASH_AT: "verified" } });
  expect([code, stderr]).toEqual([10, expect.stringContaining("AETHER_CRASH_AT: there is no such variable.")]);
});
