import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { S3StorageOptions } from "../../src/storage/s3/s3-options.ts";
import { failureOf } from "../harness/failure-of.ts";
import {
  answers,
  cutsAfter,
  type Fault,
  faultyStore,
  ignores,
  losesAnswer,
  refuses,
  resets,
  stallsAfter,
  truncates,
} from "../harness/faulty-store.ts";
import { createBucket, s3Tier } from "../harness/object-store.ts";
import { sample } from "../harness/storage-server.ts";

setDefaultTimeout(30_000);

/** Long enough that a transfer has several chunks. */
const big = sample(new Uint8Array(3_000_000).map((_, at) => (at * 7) % 253));

/** A bucket behind a store that misbehaves as told; the object `big` lies in it. */
async function setUp(options: Partial<S3StorageOptions> = {}) {
  const bucket = await createBucket();
  const faulty = await faultyStore(bucket.server.url);
  const storage = bucket.open({ baseUrl: faulty.url, publicBaseUrl: faulty.url, stallMs: 2_000, ...options });
  const { url, headers } = await bucket.storage.presignPut({ ...big, expiresSeconds: 60 });
  expect((await fetch(url, { method: "PUT", headers, body: big.data })).status).toBe(200);
  return {
    bucket,
    faulty,
    storage,
    digest: async () => sample(await new Response(await storage.read(big.key)).bytes()).digest,
    ranges: () => faulty.requests.map(({ headers }) => headers.range),
    [Symbol.asyncDispose]: faulty[Symbol.asyncDispose],
  };
}

describe.skipIf(!s3Tier().available)("a store that misbehaves", () => {
  test.each<[string, Fault]>([
    ["503 SlowDown", refuses(503, "SlowDown")],
    ["500 InternalError", refuses(500, "InternalError")],
    ["429", refuses(429, "TooManyRequests")],
    ["a reset", resets],
  ])("%s is tried again, four times (F1)", async (_, fault) => {
    await using store = await setUp();
    store.faulty.meet(fault, fault, fault, fault);
    expect(await store.storage.head(big.key)).toMatchObject({ sizeBytes: big.sizeBytes, checksum: big.digest });
    expect(store.faulty.requests).toHaveLength(5);
  });

  test("five times in trouble is the end, with the store's words (F1)", async () => {
    await using store = await setUp();
    store.faulty.meet(...Array<Fault>(6).fill(refuses(503, "SlowDown")));
    const failure = await failureOf(Array.fromAsync(store.storage.list("")));
    expect(failure.code).toBe("service_unavailable");
    expect(failure.message).toContain(`The artifact storage at ${store.faulty.url} answered 503 SlowDown`);
    expect(failure.hint).toContain("try again");
    expect(store.faulty.unmet()).toBe(1);
  });

  test("what no repetition can mend is not repeated", async () => {
    await using store = await setUp();
    store.faulty.meet(refuses(403, "AccessDenied"), refuses(403, "AccessDenied"));
    await failureOf(Array.fromAsync(store.storage.list("")));
    expect(store.faulty.unmet()).toBe(1);
  });

  test.each<[string, Fault[]]>([
    ["cut in the middle", [cutsAfter(1_000_000)]],
    ["cut again and again", [cutsAfter(1_000_000), cutsAfter(500_000), cutsAfter(0), cutsAfter(1)]],
    ["that stalls", [stallsAfter(1_500_000)]],
    ["cut, and then the store is overloaded", [cutsAfter(1_000_000), refuses(503, "SlowDown")]],
    ["that ends early without a length", [truncates(1_000_000, "none")]],
  ])("a transfer %s goes on where it was (F2, F3)", async (name, faults) => {
    await using store = await setUp({ stallMs: name === "that stalls" ? 200 : 2_000 });
    if (name.includes("without a length")) faults.unshift(cutsAfter(10)); // the first answer must tell the length
    store.faulty.meet(...faults);
    expect(await store.digest()).toBe(big.digest);
    expect(store.faulty.unmet()).toBe(0);
    const [first, ...later] = store.ranges();
    expect(first).toBeUndefined();
    for (const range of later) expect(range).toMatch(/^bytes=\d+-$/);
    for (const { headers } of store.faulty.requests.slice(1)) expect(headers["if-match"]).toStartWith('"');
  });

  test("a store that never gets on is given up (F2)", async () => {
    await using store = await setUp();
    store.faulty.meet(...Array<Fault>(9).fill(cutsAfter(0)));
    const failure = await failureOf(store.digest());
    expect(failure.code).toBe("service_unavailable");
    expect(store.faulty.unmet()).toBe(4);
  });

  test("a silent store is given up by name (F2)", async () => {
    await using store = await setUp({ stallMs: 50 });
    store.faulty.meet(...Array<Fault>(5).fill(() => {}));
    const failure = await failureOf(store.storage.head(big.key));
    expect(failure.message).toContain("no byte came for 0.05 s");
  });

  test.each([
    ["with a length that fits what came", truncates(1_000_000, "right"), false],
    ["without any length", truncates(1_000_000, "none"), true],
  ] as const)("a body that ends early %s is never taken for the object (F3)", async (_, fault, refused) => {
    await using store = await setUp();
    store.faulty.meet(fault);
    // The first is a whole answer of another object, as far as HTTP can tell: hash and size tell, the storage cannot.
    const outcome = await store.digest().catch((error: Error) => error.message);
    expect(outcome).not.toBe(big.digest);
    if (refused) expect(outcome).toContain("does not tell an object's size");
  });

  test("an object that is replaced during the transfer is not put together from both (F5)", async () => {
    await using store = await setUp();
    const other = Buffer.from(big.data.toReversed()).toString("latin1");
    store.faulty.meet(cutsAfter(1_000_000), async ({ forward, reply }) => {
      await store.bucket.request("PUT", `/${big.key}`, other);
      reply(await forward());
    });
    const failure = await failureOf(store.digest());
    expect(failure).toMatchObject({ code: "conflict", message: expect.stringContaining("changed while") });
  });

  test("a store that ignores Range sends all again, and what came before is dropped (F7)", async () => {
    await using store = await setUp();
    store.faulty.meet(cutsAfter(1_000_000), ignores("range"));
    expect(await store.digest()).toBe(big.digest);
    expect(store.faulty.unmet()).toBe(0);
  });

  test("a store that ignores If-Match as well is found out by the ETag (F5, F7)", async () => {
    await using store = await setUp();
    store.faulty.meet(
      cutsAfter(1_000_000),
      answers((answer) => ({ ...answer, headers: { ...answer.headers, etag: '"another"' } })),
    );
    expect(await failureOf(store.digest())).toMatchObject({ message: expect.stringContaining("changed while") });
  });

  test("a range that begins elsewhere is refused (F7)", async () => {
    await using store = await setUp();
    store.faulty.meet(cutsAfter(1_000_000), async ({ forward, reply }) => {
      const answer = await forward();
      reply({ ...answer, headers: { ...answer.headers, "content-range": "bytes 0-1/3000000" } });
    });
    expect(await failureOf(store.digest())).toMatchObject({ code: "conflict" });
  });

  describe("while parts are joined", () => {
    async function uploaded(store: Awaited<ReturnType<typeof setUp>>) {
      const object = sample("in one part");
      const uploadId = await store.bucket.storage.startMultipart(object.key);
      const place = { key: object.key, uploadId, partNumber: 1, expiresSeconds: 60 };
      const { url } = await store.bucket.storage.presignPart(place);
      const sent = await fetch(url, { method: "PUT", body: object.data });
      const parts = [{ partNumber: 1, etag: sent.headers.get("etag") ?? "" }];
      return { object, join: () => store.storage.completeMultipart(object.key, uploadId, parts) };
    }

    test("an error under status 200 is a failure, and tried again (F6)", async () => {
      await using store = await setUp();
      const { object, join } = await uploaded(store);
      store.faulty.meet(refuses(200, "InternalError"));
      await join();
      expect(store.faulty.requests).toHaveLength(2);
      expect(await store.storage.head(object.key)).toMatchObject({ sizeBytes: object.sizeBytes });
    });

    test("an error under status 200 that no repetition mends is told (F6)", async () => {
      await using store = await setUp();
      const { object, join } = await uploaded(store);
      store.faulty.meet(refuses(200, "InvalidPart"));
      expect(await failureOf(join())).toMatchObject({ code: "bad_request" });
      store.faulty.meet(...Array<Fault>(5).fill(refuses(200, "InternalError")));
      expect(await failureOf(join())).toMatchObject({ code: "service_unavailable" });
      expect(await store.storage.head(object.key)).toBeUndefined();
    });

    test("half a document under status 200 is no success (F6)", async () => {
      await using store = await setUp();
      const { object, join } = await uploaded(store);
      store.faulty.meet(truncates(60, "right"));
      await join(); // it was joined, and the second try finds that
      expect(store.faulty.requests.slice(0, 2).map(({ method }) => method)).toEqual(["POST", "POST"]);
      expect(await store.storage.head(object.key)).toMatchObject({ sizeBytes: object.sizeBytes });
    });

    test("a lost answer is asked for again, and what was joined meanwhile is the success it was (K4)", async () => {
      await using store = await setUp();
      const { object, join } = await uploaded(store);
      store.faulty.meet(losesAnswer);
      await join();
      expect(await store.storage.head(object.key)).toMatchObject({ sizeBytes: object.sizeBytes });
    });
  });

  test("a probe finds out a store that looks at neither checksum nor if-none-match, and one that does", async () => {
    await using store = await setUp();
    const { storage } = store;
    expect(storage.refusesOtherBytes()).toBe(false);
    const lax: Fault = async ({ request, body, reply }) => {
      const path = new URL(request.url ?? "", store.faulty.url).pathname.replace(`/${store.bucket.bucket}`, "");
      const { status } = await store.bucket.request("PUT", path, body.toString());
      reply({ status, headers: {}, body: Buffer.alloc(0) });
    };
    const passed: Fault = async ({ forward, reply }) => reply(await forward());
    store.faulty.meet(lax, passed, lax, lax); // PUT, DELETE, PUT, PUT
    expect(await storage.probe()).toEqual({ refusesOtherBytes: false, refusesSecondPut: false });
    expect(storage.refusesOtherBytes()).toBe(false);
    expect(await storage.probe()).toEqual({ refusesOtherBytes: true, refusesSecondPut: true });
    expect(storage.refusesOtherBytes()).toBe(true);
    expect((await Array.fromAsync(storage.list(""))).map(({ key }) => key)).toEqual([big.key]);
  });

  test("a store that takes no signed PUT at all is told with its own words", async () => {
    await using store = await setUp();
    store.faulty.meet(refuses(501, "NotImplemented"), refuses(501, "NotImplemented"));
    store.faulty.meet(...Array<Fault>(4).fill(refuses(400, "InvalidArgument")));
    const failure = await failureOf(store.storage.probe());
    expect(failure.code).toBe("service_unavailable");
  });
});
