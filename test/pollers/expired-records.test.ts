import { expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { purgeKeys } from "../../src/control/idempotency.ts";
import { idempotencyKeys } from "../../src/db/schema.ts";
import { createHarness } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";

withDatabases("expired records", (open) => {
  test("are deleted in batches until none is left, and others stay", async () => {
    await using aether = await createHarness({ open });
    const { db } = aether.control;
    const fill = (prefix: string, count: number, expires: string) =>
      db.execute(sql`insert into idempotency_keys (scope, key, route, body_hash, claimed_until, created_at, expires_at)
        select 'scope', ${prefix} || n, 'POST /apps', repeat('0', 64), now(), now(), now() + ${expires}::interval
        from generate_series(1, ${count}::int) n`);
    await fill("old", 2_345, "-1 second");
    await fill("new", 3, "1 hour");
    expect(await purgeKeys(aether.control, AbortSignal.abort())).toBe(0);
    expect(await purgeKeys(aether.control)).toBe(2_345);
    expect((await db.select().from(idempotencyKeys)).map(({ key }) => key)).toEqual(["new1", "new2", "new3"]);
  });
});
