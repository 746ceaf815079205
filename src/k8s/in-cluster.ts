import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterAccess } from "./access.ts";
import { fileSource, sourceCredentials } from "./credentials.ts";

/** Where the kubelet puts a pod's service account. */
export const serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The API server of the cluster that we run in, by the service account of our own pod. */
export async function inClusterAccess(host: string, port: string, folder: string): Promise<ClusterAccess> {
  const namespace = await readFile(join(folder, "namespace"), "utf8").catch(() => "default"); // not all mount it
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    namespace: namespace.trim(),
    ca: fileSource(join(folder, "ca.crt"), "the authority of the cluster"),
    isInsecure: false,
    credentials: sourceCredentials({ token: fileSource(join(folder, "token"), "the token of this pod") }),
  };
}
