import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createUser, runJson, startServe } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { flakyProxy } from "../harness/flaky-proxy.ts";
import { createBucket, s3Tier } from "../harness/object-store.ts";
import { createPostgresUrl, postgresTier } from "../harness/postgres.ts";
import { answering, packageJson } from "../harness/project.ts";
import { waitFor } from "../harness/wait-for.ts";

setDefaultTimeout(120_000);

const canRun = s3Tier().available && postgresTier().available;

/** What makes a server keep its artifacts in the bucket and its rows in Postgres. */
function environment({ bucket, server }: Awaited<ReturnType<typeof createBucket>>, databaseUrl: string) {
  return {
    DATABASE_URL: databaseUrl,
    AETHER_SECRETS_KEY: "5".repeat(64),
    AETHER_S3_BUCKET: bucket,
    AETHER_S3_BASE_URL: server.url,
    AETHER_S3_ACCESS_KEY: server.accessKeyId,
    AETHER_S3_SECRET_KEY: server.secretAccessKey,
  };
}

describe.skipIf(!canRun)("on MinIO and Postgres", () => {
  test("an application is deployed and answers; its bytes never pass through the server (REG-E1, E9, E15)", async () => {
    await using user = await createUser();
    await using database = await createPostgresUrl();
    const bucket = await createBucket();
    let port = 0;
    await using proxy = await flakyProxy(() => port, {});
    const api = `http://127.0.0.1:${proxy.port}`;
    const parts = { AETHER_MULTIPART_THRESHOLD_BYTES: "6000000", AETHER_MULTIPART_PART_SIZE_BYTES: "5242880" };
    const env = { ...environment(bucket, database.url), ...parts, AETHER_PUBLIC_URL: api };
    await using server = await startServe(user, { env });
    port = server.port;
    const folder = await writeFiles(join(user.path, "shop"), {
      "package.json": packageJson("shop"),
      "server.js": answering("v1"),
    });
    const deploy = () => runJson(user, ["deploy", folder, "--server", api]);

    const single = await deploy();
    expect(single.code === 0 ? "" : single.stderr).toBe("");
    expect(await (await server.ask("shop")).text()).toBe("v1");

    await writeFile(join(folder, "server.js"), answering("v2"));
    await writeFile(join(folder, "asset.bin"), randomBytes(12_000_000)); // does not shrink: three parts
    const inParts = await deploy();
    expect(inParts.json).toMatchObject({ status: "running", version: 2, uploaded_bytes: inParts.json.size_bytes });
    expect(inParts.json.size_bytes).toBeGreaterThan(12_000_000);
    expect(await (await server.ask("shop")).text()).toBe("v2");
    expect(proxy.bytesUp()).toBeLessThan(100_000);

    const again = await deploy();
    expect(again.json).toMatchObject({ uploaded_bytes: 0, version: 3 });
    for (const { json } of [single, inParts]) {
      const object = await bucket.storage.head(`artifacts/shop/${json.digest}/app.tar.gz`);
      expect(object?.sizeBytes).toBe(json.size_bytes);
    }
    expect(existsSync(join(user.path, "data", "storage"))).toBe(false);
    await server.stop();
    const log = await server.log;
    expect(log).toContain('"refusesOtherBytes":true');
    for (const secret of [bucket.server.secretAccessKey, "X-Amz-Signature="]) expect(log).not.toContain(secret);
  });

  test("wrong keys of the server end a deploy at once, before a byte moves, as the server's fault", async () => {
    await using user = await createUser();
    await using database = await createPostgresUrl();
    const env = { ...environment(await createBucket(), database.url), AETHER_S3_SECRET_KEY: "not-the-secret-key" };
    await using server = await startServe(user, { env });
    const folder = await writeFiles(join(user.path, "shop"), {
      "package.json": packageJson("shop"),
      "server.js": answering("v1"),
    });
    const { code, json, stderr } = await runJson(user, ["deploy", folder, "--server", server.api]);
    expect({ code, json }).toMatchObject({ code: 40, json: { code: "service_unavailable", reason: "misconfigured" } });
    expect(stderr).toContain("This server's storage is set up wrongly.");
    expect(stderr).toContain("Whoever runs the server can mend it: Correct AETHER_S3_SECRET_KEY");
    expect(stderr).not.toContain("not-the-secret-key");
    expect(stderr).not.toContain("Trying again");
  });

  test("parts go on after a broken connection, and the finished ones are not sent again (REG-E9)", async () => {
    await using user = await createUser();
    await using database = await createPostgresUrl();
    const bucket = await createBucket();
    const { port } = new URL(bucket.server.url);
    await using proxy = await flakyProxy(() => Number(port), { cutAfterBytes: [3_000_000, 4_000_000] });
    await using server = await startServe(user, {
      env: {
        ...environment(bucket, database.url),
        AETHER_S3_PUBLIC_BASE_URL: `http://127.0.0.1:${proxy.port}`, // laptops go that way, agents do not
        AETHER_MULTIPART_THRESHOLD_BYTES: "6000000",
        AETHER_MULTIPART_PART_SIZE_BYTES: "5242880",
      },
    });
    const folder = await writeFiles(join(user.path, "shop"), {
      "package.json": packageJson("shop"),
      "server.js": answering("v1"),
    });
    await writeFile(join(folder, "asset.bin"), randomBytes(32_000_000));
    const { code, json, stderr } = await runJson(user, ["deploy", folder, "--server", server.api]);
    expect(code === 0 ? "" : stderr).toBe("");
    expect(json).toMatchObject({ status: "running", uploaded_bytes: json.size_bytes });
    expect(proxy.cuts()).toBe(2);
    expect(proxy.bytesUp()).toBeGreaterThan(json.size_bytes);
    expect(proxy.bytesUp()).toBeLessThan(json.size_bytes + 2 * 5_242_880);
  });

  test("what one server stored the other one serves: no data folder is shared", async () => {
    await using user = await createUser();
    await using database = await createPostgresUrl();
    const bucket = await createBucket();
    const env = environment(bucket, database.url);
    await using first = await startServe(user, { env, dataFolder: join(user.path, "one") });
    const folder = await writeFiles(join(user.path, "shop"), {
      "package.json": packageJson("shop"),
      "server.js": answering("v1"),
    });
    const { json } = await runJson(user, ["deploy", folder, "--server", first.api]);
    await first.stop();
    await using second = await startServe(user, { env, dataFolder: join(user.path, "two") });
    const answer = await fetch(`${second.api}/artifacts/${json.digest}/download`);
    expect(answer.status).toBe(200);
    expect(answer.url).toStartWith(bucket.server.url);
    expect((await answer.bytes()).length).toBe(json.size_bytes);
    await waitFor("it runs there", async () => (await second.ask("shop")).ok);
  });

  test("a bucket that is not there is named in the log and in /readyz, and the server runs", async () => {
    await using user = await createUser();
    await using database = await createPostgresUrl();
    const bucket = await createBucket();
    const env = { ...environment(bucket, database.url), AETHER_S3_BUCKET: "no-such-bucket" };
    await using server = await startServe(user, { env });
    const expected = `There is no bucket no-such-bucket at ${bucket.server.url}.`;
    expect(await (await fetch(`${server.api}/readyz`)).json()).toEqual({
      status: "degraded",
      degraded: [`storage: ${expected}`],
    });
    await waitFor("the log to name it", () => server.logSoFar().includes(expected));
  });
});
