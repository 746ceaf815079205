import { setTimeout as sleep } from "node:timers/promises";
import { AetherError } from "../../lib/errors.ts";
import { resolveAppName } from "../app-name.ts";
import { appArgs } from "../args.ts";
import { type Client, createClient } from "../client.ts";
import { defineCommand } from "../command.ts";
import { badValue } from "../usage.ts";

/** How long the replicas may take to answer. */
const patienceMs = 120_000;

export default defineCommand({
  meta: { name: "scale", description: "Say how many replicas an app has, now and with every later release" },
  args: {
    name: { type: "positional", required: true, description: "The app, or the number for the app of this folder" },
    replicas: { type: "positional", required: false, description: "0 to 100; 0 stops the app" },
    detach: { type: "boolean", description: "Do not wait until they answer" },
    ...appArgs,
  },
  examples: [
    ["aether scale shop 3", "three replicas, without a new release"],
    ["aether scale shop 0", "stops it; requests are answered with 503"],
  ],
  async run(context) {
    const { args, config, output, signal } = context;
    const { name, replicas } = parseScale(args);
    const app = await resolveAppName(context, name);
    const client = createClient({ ...config, signal });
    const scaled = await client.scale(app, replicas);
    const { deployment_id } = scaled;
    const waits = deployment_id !== null && args.detach !== true;
    const running = waits ? await waitForReplicas(client, deployment_id, { app, replicas, signal }) : null;
    output.done(deployment_id === null ? `${app} gets ${replicas} with its first release` : `${app} has ${replicas}`);
    if (output.isJson) output.json({ ...scaled, running });
  },
});

async function waitForReplicas(
  client: Client,
  id: string,
  { app, replicas, signal }: { app: string; replicas: number; signal: AbortSignal },
): Promise<number> {
  const until = performance.now() + patienceMs;
  for (let delayMs = 50; ; delayMs = Math.min(1_000, delayMs * 1.5)) {
    const found = (await client.deployment(id)).replicas.filter(({ state }) => state !== "stopping");
    const running = found.filter(({ state }) => state === "running").length;
    if (running === replicas && found.length === replicas) return running;
    if (performance.now() > until) {
      throw new AetherError("deployment_failed", `Only ${running} of ${replicas} replicas of ${app} answer.`, {
        hint: `It goes on being tried; aether status ${app} and aether logs ${app} show what is wrong.`,
        details: { replicas, running },
      });
    }
    await sleep(delayMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) throw signal.reason;
  }
}

function parseScale({ name, replicas }: { name: string; replicas?: string | undefined }) {
  const [app, number] = replicas === undefined ? [undefined, name] : [name, replicas];
  if (/^\d{1,3}$/.test(number) && Number(number) <= 100) return { name: app, replicas: Number(number) };
  throw badValue({
    of: "The number of replicas",
    given: number,
    why: "it goes from 0 to 100",
    hint: "For example: aether scale shop 3.",
  });
}
