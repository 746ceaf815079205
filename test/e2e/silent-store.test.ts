import { expect, setDefaultTimeout, test } from "bun:test";
import { createUser, startServe } from "../harness/binary.ts";

setDefaultTimeout(120_000);

test("a server whose store takes requests and never answers them stops within its grace, and says what was left", async () => {
  await using user = await createUser();
  const asked = Promise.withResolvers<void>();
  let connections = 0;
  const store = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: () => {
        connections += 1;
      },
      data: () => asked.resolve(),
    },
  });
  try {
    const server = await startServe(user, {
      env: {
        AETHER_S3_BUCKET: "bucket",
        AETHER_S3_BASE_URL: `http://127.0.0.1:${store.port}`,
        AETHER_S3_ACCESS_KEY: "key",
        AETHER_S3_SECRET_KEY: "secret",
        AETHER_SUPERVISOR_GRACE_SEC: "1",
      },
    });
    await asked.promise; // by the poller that probes the store
    const connectionsBefore = connections;
    expect(await server.stop()).toBe(0);
    expect(connections).toBe(connectionsBefore); // it was not asked again until it would have answered
    const log = await server.log;
    expect(log).toContain("stopped before all pollers had ended");
    expect(log).toContain("storage-probe");
    expect(log).toContain('"message":"stopped"');
  } finally {
    store.stop(true);
  }
});
