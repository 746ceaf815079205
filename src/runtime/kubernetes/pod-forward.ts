import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { podContainers } from "../../core/pod-agent.ts";
import type { Cluster, PodRef } from "../../k8s/cluster.ts";
import { AetherError } from "../../lib/errors.ts";
import type { Connection } from "../runtime.ts";
import type { Pod } from "./world.ts";

/** So long may the application be silent when the other side has said all it will. */
const lingerMs = 30_000;

/** One connection to a port of a pod, until either side has ended it. */
export async function forwardToPod(cluster: Cluster, pod: Pod, connection: Connection): Promise<void> {
  const { port = ownPort(pod), input, output, signal } = connection;
  signal.throwIfAborted();
  const { name = "", namespace = "" } = pod.metadata ?? {};
  const ref: PodRef = { name, namespace };
  let heardAt = performance.now();
  const answer = new Transform({
    transform(chunk, _encoding, done) {
      heardAt = performance.now();
      done(null, chunk);
    },
  });
  await using _open = await cluster.portForward(ref, port, { input, output: answer });
  // Kubernetes cannot tell the application that the client has ended its side: it gets a while to answer.
  const over = new AbortController();
  input.once("end", () => void linger());

  async function linger(): Promise<void> {
    heardAt = performance.now();
    while (!over.signal.aborted && performance.now() - heardAt < lingerMs) {
      await sleep(1_000, undefined, { signal: over.signal }).catch(() => undefined);
    }
    answer.end();
  }

  try {
    await pipeline(answer, output, { signal });
  } finally {
    over.abort();
  }
}

function ownPort({ spec, metadata }: Pod): number {
  const app = spec?.containers.find(({ name }) => name === podContainers.app);
  const port = app?.ports?.find(({ name }) => name === "http")?.containerPort;
  if (port !== undefined) return port;
  throw new AetherError("conflict", `The pod ${metadata?.name} names no port to listen on.`, {
    hint: "Name one: aether port-forward <app> <port>.",
  });
}
