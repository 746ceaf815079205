import { expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { createClient } from "../../src/cli/client.ts";
import { resolveDigest } from "../../src/cli/find-digest.ts";
import { artifacts } from "../../src/db/schema.ts";
import { createHarness, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";
import { failureOf } from "../harness/failure-of.ts";

withDatabases("the beginning of a digest", (open) => {
  async function start() {
    const aether = await createHarness({ open });
    const client = createClient({ server: aether.api, signal: new AbortController().signal });
    /** An artifact whose row says that it has this digest: nobody finds bytes for that. */
    async function stored(app: string, digest: string): Promise<string> {
      const { digest: own } = await aether.store(app, someBytes(`${app} ${digest}`));
      await aether.control.db.update(artifacts).set({ digest }).where(eq(artifacts.digest, own));
      return digest;
    }
    return { ...aether, client, stored };
  }

  test("names the one artifact that has it, whatever app it is of", async () => {
    await using aether = await start();
    const digest = await aether.stored("shop", `abcdef0${"1".repeat(57)}`);
    await aether.stored("blog", `abcdf${"1".repeat(59)}`);
    for (const given of ["abcdef", "abcdef01", `sha256:${digest.slice(0, 12)}`, `${digest.slice(0, 8)}…`, digest]) {
      expect(await resolveDigest(aether.client, given, undefined)).toBe(digest);
    }
    expect(await failureOf(resolveDigest(aether.client, "abcdee", undefined))).toMatchObject({ code: "not_found" });
    expect(await failureOf(resolveDigest(aether.client, "abcdef", "blog"))).toMatchObject({ code: "not_found" });
  });

  test("that several have is refused with what tells them apart; the same bytes of two apps are one", async () => {
    await using aether = await start();
    const [one, two] = [`abcdef${"0".repeat(58)}`, `abcdef${"0".repeat(20)}1${"0".repeat(37)}`];
    await aether.stored("shop", one);
    await aether.stored("blog", one);
    expect(await resolveDigest(aether.client, "abcdef", undefined)).toBe(one);
    await aether.stored("shop", two);
    const failure = await failureOf(resolveDigest(aether.client, "abcdef", undefined));
    expect(failure).toMatchObject({ code: "usage", exitCode: 2, details: { candidates: [one, two] } });
    expect(failure.message).toContain("2 digests begin with abcdef");
    expect(failure.message).toContain(`${two.slice(0, 27)} of shop`);
    expect(failure.message).toContain(`${one.slice(0, 27)} of blog and shop`);
    expect(await resolveDigest(aether.client, "abcdef", "blog")).toBe(one);
  });
});

test.each(["abcde", "xyzxyz", "ABCDEF", `${"a".repeat(65)}`])("%p is no beginning of a digest", async (given) => {
  const client = { artifactsLike: () => Promise.reject(new Error("it was asked for")) };
  expect(await failureOf(resolveDigest(client, given, undefined))).toMatchObject({ code: "usage", exitCode: 2 });
});
