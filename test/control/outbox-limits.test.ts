import { expect, test } from "bun:test";
import { asc, eq, sql } from "drizzle-orm";
import type { Control } from "../../src/control/control.ts";
import { limitOutbox } from "../../src/control/outbox-limits.ts";
import { webhookDeliveries, webhooks } from "../../src/db/schema.ts";
import { createHarness } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";
import { startReceiver } from "../harness/receiver.ts";
import { waitFor } from "../harness/wait-for.ts";

type Delivery = Partial<typeof webhookDeliveries.$inferInsert>;

async function insertWebhook({ db }: Control): Promise<string> {
  const values = { url: "https://hooks.example/", secret: "sealed", events: ["*"], createdBy: "test" };
  const [webhook] = await db.insert(webhooks).values(values).returning();
  if (!webhook) throw new Error("The webhook was not inserted.");
  return webhook.id;
}

/** Puts deliveries into the outbox, of events 1001, 1002, …, which nothing else here reaches, `hours` ago. */
async function insertWaiting(
  { db }: Control,
  webhookId: string,
  { count, hours = 0, ...more }: Delivery & { count: number; hours?: number },
): Promise<void> {
  const createdAt = sql`now() - make_interval(hours => ${hours}::int)`;
  const rows = Array.from({ length: count }, (_, at) => ({
    eventId: 1_001 + at,
    event: "app.created",
    body: "{}",
    ...more,
  }));
  await db.insert(webhookDeliveries).values(rows.map((row) => ({ ...row, webhookId, createdAt })));
}

const read = ({ db }: Control) => db.select().from(webhookDeliveries).orderBy(asc(webhookDeliveries.eventId));
const setFailing = ({ db }: Control, id: string, hours: number) =>
  db
    .update(webhooks)
    .set({ failingSince: sql`now() - make_interval(hours => ${hours}::int)` })
    .where(eq(webhooks.id, id));

withDatabases("the outbox", (open) => {
  test("what nobody took in a day is given up, attempted or not, and what is under way is left alone", async () => {
    await using aether = await createHarness({ open });
    const { control } = aether;
    const [dead, busy, young] = [
      await insertWebhook(control),
      await insertWebhook(control),
      await insertWebhook(control),
    ];
    await insertWaiting(control, dead, { count: 5, hours: 25 });
    await insertWaiting(control, busy, { count: 1, hours: 25, claimedUntil: sql`now() + interval '20 s'` as never });
    await insertWaiting(control, young, { count: 2, hours: 23, lastError: "answered 500" });
    expect(await limitOutbox(control, { batch: 2 })).toEqual({ disabled: 0, givenUp: 5, dropped: 0 });
    const rows = (await read(control)).map(({ webhookId, status, lastError }) => ({ webhookId, status, lastError }));
    const lost = { webhookId: dead, status: "failed" as const, lastError: "there was no attempt in time" };
    expect(rows.filter(({ webhookId }) => webhookId === dead)).toEqual(Array.from({ length: 5 }, () => lost));
    expect(rows.filter(({ webhookId }) => webhookId !== dead).map(({ status }) => status)).toEqual([
      "pending",
      "pending",
      "pending",
    ]);
    expect(await limitOutbox(control)).toEqual({ disabled: 0, givenUp: 0, dropped: 0 });
  });

  test("of too many that wait for one webhook the oldest are dropped, others' stay, and the log tells", async () => {
    await using aether = await createHarness({ open });
    const { control } = aether;
    const [flooded, other] = [await insertWebhook(control), await insertWebhook(control)];
    await insertWaiting(control, flooded, { count: 17 });
    await insertWaiting(control, other, { count: 10 });
    expect(await limitOutbox(control, { maxWaiting: 10, batch: 3 })).toMatchObject({ dropped: 7 });
    const rows = await read(control);
    const left = (id: string) => rows.filter(({ webhookId }) => webhookId === id).map(({ eventId }) => eventId);
    expect(left(flooded)).toEqual(Array.from({ length: 10 }, (_, at) => 1_008 + at));
    expect(left(other)).toHaveLength(10);
    expect(aether.lines.filter((line) => line.includes("were dropped")).join()).toContain(flooded);
  });

  test("a webhook that took nothing for days is disabled, visibly, and gets nothing more", async () => {
    await using aether = await createHarness({ open });
    const { control, send } = aether;
    const [dead, shaky] = [await insertWebhook(control), await insertWebhook(control)];
    for (const id of [dead, shaky]) await insertWaiting(control, id, { count: 2 });
    await setFailing(control, dead, 73);
    await setFailing(control, shaky, 71);
    expect(await limitOutbox(control)).toEqual({ disabled: 1, givenUp: 2, dropped: 0 });
    const { body } = await send("GET", "/webhooks");
    expect(body.find(({ id }: { id: string }) => id === dead)).toMatchObject({
      active: false,
      disabled_reason: expect.stringContaining("nothing for 3 days"),
    });
    expect(body.find(({ id }: { id: string }) => id === shaky)).toMatchObject({
      active: true,
      failing_since: expect.any(String),
      disabled_reason: null,
    });
    expect((await send("GET", "/audit?action=webhook.disabled")).body).toMatchObject([
      { subject: { type: "webhook", id: dead }, actor: "system", before: "created", after: "disabled" },
    ]);
    await send("POST", "/apps", { name: "shop" });
    await control.events.advance();
    const told = (await read(control)).filter(({ eventId }) => eventId <= 1_000);
    expect(new Set(told.map(({ webhookId }) => webhookId))).toEqual(new Set([shaky]));
    expect(await limitOutbox(control)).toMatchObject({ disabled: 0 });
  });

  test("one that failed once, and then had nothing to take, is not held to have failed since", async () => {
    await using aether = await createHarness({ open });
    const { control } = aether;
    const id = await insertWebhook(control);
    await insertWaiting(control, id, { count: 1, status: "failed" });
    await setFailing(control, id, 100);
    expect(await limitOutbox(control)).toMatchObject({ disabled: 0 });
    expect(await control.db.select().from(webhooks)).toMatchObject([{ active: true, failingSince: null }]);
  });

  test("an attempt that fails begins the count of days, and one that is taken ends it", async () => {
    await using aether = await createHarness({ open });
    await using receiver = startReceiver({ answer: (nth) => new Response("", { status: nth === 1 ? 500 : 200 }) });
    const wanted = { url: receiver.url, secret: "a secret of sixteen or more", events: ["*"] };
    await aether.send("POST", "/webhooks", wanted);
    await aether.send("POST", "/apps", { name: "shop" });
    const failingSince = async () => (await aether.send("GET", "/webhooks")).body[0].failing_since;
    await waitFor("it is seen to fail", failingSince);
    await aether.control.db.update(webhookDeliveries).set({ nextAttemptAt: sql`now() - interval '1 second'` });
    await aether.deliveries.run();
    await waitFor("it is seen to take it", async () => (await failingSince()) === null);
    expect(receiver.received).toHaveLength(2);
  });
});
