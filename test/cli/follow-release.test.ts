import { expect, test } from "bun:test";
import { createClient } from "../../src/cli/client.ts";
import { followRelease } from "../../src/cli/follow-release.ts";
import { createOutput } from "../../src/cli/output.ts";
import { failureOf } from "../harness/failure-of.ts";

const { signal } = new AbortController();
const output = createOutput({ json: false, env: {} });
output.configure({ quiet: true });

test("a release that does not run in its time is said to be late, with where to look", async () => {
  await using server = Bun.serve({
    port: 0,
    fetch: () => Response.json({ id: "d", status: "pending", version: 3, replicas: [] }),
  });
  const client = createClient({ server: server.url.origin, signal });
  const release = { app: "shop", id: "d", version: 3, detach: false, withinMs: 100 };
  const error = await failureOf(followRelease(release, { client, output, signal }));
  expect(error).toMatchObject({
    code: "deployment_failed",
    message: expect.stringContaining("v3 of shop does not run after"),
  });
  expect(error.hint).toContain("aether status shop");
});
