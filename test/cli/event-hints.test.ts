import { expect, test } from "bun:test";
import { createClient } from "../../src/cli/client.ts";
import { eventHints } from "../../src/cli/event-hints.ts";
import { waitForDeployment } from "../../src/cli/wait-for-deployment.ts";
import { createHarness, someBytes } from "../harness/control-plane.ts";

test("a deploy that waits sees the verdict by the server's event", async () => {
  await using aether = await createHarness();
  const { digest } = await aether.store("shop", someBytes("one"));
  const { body } = await aether.send("POST", "/deployments", { app_name: "shop", digest });
  await aether.rollouts.settle();
  const abort = new AbortController();
  const client = createClient({ server: aether.api, signal: abort.signal });
  const hints = eventHints(client, "shop", abort.signal);
  await hints.next(); // it listens
  const verdict = hints.next();
  aether.runtime.succeed("shop", body.id);
  expect(await verdict).toMatchObject({ done: false });
  const options = { client, id: body.id, app: "shop", signal: abort.signal, warn: () => {} };
  const waited = await waitForDeployment({ ...options, hints: (ended) => eventHints(client, "shop", ended) });
  expect(waited.status).toBe("running");
  abort.abort();
});

test("a server that is away gives no hint, and no error", async () => {
  const gone = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const server = `http://127.0.0.1:${gone.port}`;
  await gone.stop(true);
  const { signal } = new AbortController();
  const given = await Array.fromAsync(eventHints(createClient({ server, signal }), "shop", signal));
  expect(given).toEqual([]);
});
