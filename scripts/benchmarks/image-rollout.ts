import { join } from "node:path";
import { $ } from "bun";
import { testbed } from "./testbed.ts";

export interface ImageTimes {
  buildMs: number;
  /** From the built image to where the cluster has it. */
  shipMs: number;
  /** From `kubectl apply` until all replicas answer their readiness probe. */
  rolloutMs: number;
}

/** The application in `folder` as an image of its own: built, shipped and rolled out in `namespace`. */
export function createImageRollout({ folder, namespace }: { folder: string; namespace: string }) {
  const kubectl = ["kubectl", "--namespace", namespace];
  const dockerfile = join(folder, "Dockerfile");

  async function settled(): Promise<void> {
    await $`${kubectl} rollout status deployment/bench --timeout 300s`.quiet();
  }

  return {
    async deploy(tag: string, options: string[] = []): Promise<ImageTimes> {
      await Bun.write(dockerfile, layers);
      const { buildMs, shipMs } = await buildImage(`aether-bench:${tag}`, [folder, "-f", dockerfile, ...options]);
      const since = performance.now();
      const manifest = new Blob([JSON.stringify(deployment(`docker.io/library/aether-bench:${tag}`))]);
      await $`${kubectl} apply -f - < ${manifest}`.quiet();
      await settled();
      return { buildMs, shipMs, rolloutMs: performance.now() - since };
    },
    /** What the cluster takes for new pods of an image that it has. */
    async bareRollout(): Promise<number> {
      const since = performance.now();
      await $`${kubectl} rollout restart deployment/bench`.quiet();
      await settled();
      return performance.now() - since;
    },
  };
}

/** What seldom changes comes first, as everybody writes it. */
const layers = `FROM node:20-slim
WORKDIR /app
COPY node_modules node_modules
COPY package.json server.js ./
USER node
CMD ["node", "server.js"]
`;

/** The testbed's program tells of no times: buildah prints the image's id when it is built, and then it is shipped. */
async function buildImage(name: string, options: string[]) {
  const since = performance.now();
  const child = Bun.spawn([join(testbed, "build-image"), name, ...options], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const complaint = new Response(child.stderr).text();
  let builtAt: number | undefined;
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream() as ReadableWritablePair)) {
    rest += text;
    if (/^[0-9a-f]{64}$/m.test(rest)) builtAt ??= performance.now();
  }
  if ((await child.exited) !== 0 || builtAt === undefined) throw new Error(`${rest}\n${await complaint}`);
  return { buildMs: builtAt - since, shipMs: performance.now() - builtAt };
}

const labels = { app: "bench" };

const deployment = (image: string) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "bench" },
  spec: {
    replicas: 2,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: "app",
            image,
            imagePullPolicy: "IfNotPresent",
            ports: [{ containerPort: 3000 }],
            // Each second, as ours is asked: without, a pod counts before it answers.
            readinessProbe: { tcpSocket: { port: 3000 }, periodSeconds: 1 },
          },
        ],
      },
    },
  },
});
