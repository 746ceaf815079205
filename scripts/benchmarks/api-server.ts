// The API on a real Postgres, in a process of its own: what `api.ts` measures. The runtime is the tests' fake, because
// thousands of deployments a second would measure how fast processes start.

import { migrate } from "../../src/db/migrate.ts";
import { listen } from "../../src/serve/listen.ts";
import { createApp } from "../../src/server/app.ts";
import { createUploadSlots } from "../../src/server/upload-slots.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { createHarness, someBytes } from "../../test/harness/control-plane.ts";
import { createPostgresDatabase } from "../../test/harness/postgres.ts";

const aether = await createHarness({
  open: async () => {
    const database = await createPostgresDatabase();
    await migrate(database.db);
    return database;
  },
});
const deployments = [];
for (let app = 0; app < 64; app += 1) {
  const { digest } = await aether.store(`app-${app}`, someBytes(`artifact ${app}`));
  deployments.push({ app_name: `app-${app}`, digest, config: { start: "node server.js" } });
}
const { body: first } = await aether.send("POST", "/deployments", deployments[0]);

// Without the harness's own checks of each answer, and with the log of a server.
const listener = listen({ host: "127.0.0.1", port: 0, what: "API", flag: "--port" });
const log = createLogger({ level: "info", format: "json", write: () => {} });
const app = createApp({
  control: { ...aether.control, log },
  rollouts: aether.rollouts,
  tokens: [],
  authRequired: false,
  agentToken: "no-agent-asks-here",
  ownHosts: new Set([`127.0.0.1:${listener.port}`]),
  uploadSlots: createUploadSlots(32),
  stopping: new AbortController().signal,
});
listener.serve((request) => app.fetch(request, {}));
console.log(JSON.stringify({ api: `http://127.0.0.1:${listener.port}`, deployment: first.id, deployments }));
await new Promise(() => {});
