import { randomBytes } from "node:crypto";
import type { Cluster } from "../../src/k8s/cluster.ts";
import { openTestCluster } from "./kubernetes.ts";

/** A namespace of the test's own on the real cluster; at the end it is told to go, with all that is in it. */
export async function createNamespace({
  cluster: given,
  labels = {},
}: {
  cluster?: Cluster;
  labels?: Record<string, string>;
} = {}) {
  const cluster = given ?? (await openTestCluster());
  const name = `aether-test-${randomBytes(5).toString("hex")}`;
  await cluster.create({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
  return {
    cluster,
    name,
    async [Symbol.asyncDispose]() {
      await cluster.remove({ kind: "Namespace", name });
    },
  };
}
