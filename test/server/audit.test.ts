import { expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { apps } from "../../src/db/schema.ts";
import { createHarness, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";

interface Line {
  id: number;
  action: string;
  app: string | null;
  subject: { id: string };
}

withDatabases("the audit", (open) => {
  test("every transition of an artifact and a deployment is there, with actor and request, newest first", async () => {
    await using aether = await createHarness({ open });
    const { digest } = await aether.store("shop", someBytes("one"));
    const deploy = { app_name: "shop", digest };
    const created = await aether.send("POST", "/deployments", deploy, { "x-request-id": "request-9" });
    await aether.rollouts.settle();
    const failure = { reason: "exited" as const, message: "gone", log: [] };
    aether.runtime.fail("shop", failure, created.body.id);
    await aether.rollouts.settle();
    const { body } = await aether.send("GET", "/audit");
    expect(body.map(({ action }: Line) => action)).toEqual([
      "deployment.failed",
      "deployment.pending",
      "artifact.stored",
      "artifact.verifying",
      "artifact.pending",
      "app.created",
    ]);
    expect(body[1]).toEqual({
      id: expect.any(Number),
      action: "deployment.pending",
      at: "2026-01-01T00:00:00.000Z",
      app: "shop",
      subject: { type: "deployment", id: created.body.id },
      before: null,
      after: "pending",
      actor: "anonymous",
      request_id: "request-9",
      detail: { digest, version: 1 },
    });
    expect(body[0]).toMatchObject({ before: "pending", after: "failed", actor: "system", request_id: null });
  });

  test("it is narrowed by app, subject, action and time, and read in pages", async () => {
    await using aether = await createHarness({ open });
    await aether.store("old", someBytes("old"));
    aether.advance(3_600_000);
    const { artifact_id } = await aether.store("shop", someBytes("new"));
    const ask = async (query: string): Promise<Line[]> => (await aether.send("GET", `/audit?${query}`)).body;
    expect((await ask("app=shop")).every(({ app }) => app === "shop")).toBe(true);
    expect(await ask("app=shop")).toHaveLength(4);
    expect((await ask(`subject=${artifact_id}`)).map(({ action }) => action)).toEqual([
      "artifact.stored",
      "artifact.verifying",
      "artifact.pending",
    ]);
    expect((await ask("action=artifact.stored")).map(({ app }) => app)).toEqual(["shop", "old"]);
    expect((await ask("since=30m")).every(({ app }) => app === "shop")).toBe(true);
    const all = await ask("limit=1000");
    expect([...(await ask("limit=3")), ...(await ask("limit=1000&offset=3"))]).toEqual(all);
    expect(await ask("app=ghost")).toEqual([]);
    for (const since of ["999999999d", "999999999h", "0000-01-01T00:00:00Z"]) {
      expect(await ask(`limit=1000&since=${since}`)).toEqual(all);
    }
    for (const wrong of ["since=yesterday", "subject=%00", "action=everything", "app=A", "limit=0"]) {
      expect(await aether.send("GET", `/audit?${wrong}`)).toMatchObject({ status: 400 });
    }
  });

  test("it names an app that is gone", async () => {
    await using aether = await createHarness({ open });
    await aether.send("POST", "/apps", { name: "gone" });
    await aether.control.db.delete(apps).where(eq(apps.name, "gone"));
    for (const query of ["", "?app=gone"]) {
      expect((await aether.send("GET", `/audit${query}`)).body).toMatchObject([{ app: "gone", action: "app.created" }]);
    }
  });
});
