import type { KubernetesObject } from "@kubernetes/client-node";
import type { ClusterAccess } from "./access.ts";
import type {
  ApplyOptions,
  Cluster,
  ObjectQuery,
  PatchOptions,
  RemoveOptions,
  Stored,
  WriteOptions,
} from "./cluster.ts";
import { isClusterError } from "./cluster-error.ts";
import { fieldManager } from "./field-manager.ts";
import type { KindName, ObjectOf } from "./kinds.ts";
import { listPages } from "./list-objects.ts";
import { inWords, objectPath } from "./object-path.ts";
import { podLogs } from "./pod-logs.ts";
import { createReflector } from "./reflector.ts";
import { execInPod, forwardPort } from "./streams.ts";
import { createTransport, type TransportOptions } from "./transport.ts";

const patchTypes = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
  strategic: "application/strategic-merge-patch+json",
};

/** The API server that `access` leads to. */
export function createCluster(access: ClusterAccess, options: TransportOptions = {}): Cluster {
  const transport = createTransport(access, options);

  async function version() {
    const info = await transport.call<{ major: string; minor: string; gitVersion: string }>({
      method: "GET",
      path: "/version",
      doing: "tell its version",
      isRepeatable: true,
    });
    // Some providers append a sign: "30+".
    return { major: Number.parseInt(info.major, 10), minor: Number.parseInt(info.minor, 10), text: info.gitVersion };
  }

  async function apply<T extends KubernetesObject>(object: T, options: ApplyOptions = {}) {
    const { dryRun, signal, manager = fieldManager, force = true } = options;
    const ref = refOf(object);
    return await transport.call<Stored<T>>({
      method: "PATCH",
      path: objectPath(ref),
      query: { fieldManager: manager, force, fieldValidation: "Strict", ...dry(dryRun) },
      body: object,
      contentType: "application/apply-patch+yaml", // JSON is YAML
      doing: inWords("apply", ref),
      isRepeatable: true,
      signal,
    });
  }

  async function create<T extends KubernetesObject>(object: T, { dryRun, signal }: WriteOptions = {}) {
    const { kind, namespace, name } = refOf(object);
    return await transport.call<Stored<T>>({
      method: "POST",
      path: objectPath({ kind, namespace }),
      query: { fieldManager, fieldValidation: "Strict", ...dry(dryRun) },
      body: object,
      doing: inWords("create", { kind, namespace, name }),
      signal,
    });
  }

  async function list<K extends KindName>(query: ObjectQuery<K>, signal?: AbortSignal) {
    const read = async (isWhole: boolean) => {
      const all: { items: ObjectOf<K>[]; resourceVersion: string } = { items: [], resourceVersion: "" };
      for await (const page of listPages(transport, query, { signal, isWhole })) {
        all.items.push(...page.items);
        all.resourceVersion = page.resourceVersion;
      }
      return all;
    };
    return await read(false).catch((error) => {
      if (isClusterError(error, "expired")) return read(true);
      throw error;
    });
  }

  async function patch<K extends KindName>(
    ref: { kind: K; namespace?: string; name: string },
    body: object,
    { type = "merge", subresource, dryRun, signal }: PatchOptions = {},
  ) {
    return await transport.call<ObjectOf<K>>({
      method: "PATCH",
      path: objectPath(ref, subresource),
      query: { fieldManager, ...dry(dryRun) },
      body,
      contentType: patchTypes[type],
      doing: inWords("patch", ref),
      signal,
    });
  }

  async function remove(ref: { kind: KindName; namespace?: string; name: string }, options: RemoveOptions = {}) {
    const { propagation = "Background", uid, resourceVersion, dryRun, signal } = options;
    const request = transport.call({
      method: "DELETE",
      path: objectPath(ref),
      query: dry(dryRun),
      body: {
        apiVersion: "v1",
        kind: "DeleteOptions",
        propagationPolicy: propagation,
        preconditions: { uid, resourceVersion },
      },
      doing: inWords("delete", ref),
      signal,
    });
    return (await undefinedWhenAbsent(request)) !== undefined;
  }

  return {
    server: access.server,
    namespace: access.namespace,
    version,
    apply,
    create,
    get: (ref, signal) =>
      undefinedWhenAbsent(
        transport.call({
          method: "GET",
          path: objectPath(ref),
          doing: inWords("get", ref),
          isRepeatable: true,
          signal,
        }),
      ),
    list,
    patch,
    remove,
    reflect: (query, reflectOptions = {}) => createReflector(transport, query, reflectOptions),
    logs: (pod, logOptions, signal) => podLogs(transport, pod, logOptions, signal),
    exec: (pod, execOptions) => execInPod(access, pod, execOptions),
    portForward: (pod, port, streams) => forwardPort(access, pod, port, streams),
  };
}

function refOf(object: KubernetesObject): { kind: string; namespace?: string | undefined; name?: string | undefined } {
  if (!object.kind) throw new Error("An object without its kind was to be sent to Kubernetes.");
  return { kind: object.kind, namespace: object.metadata?.namespace, name: object.metadata?.name };
}

const dry = (dryRun: boolean | undefined) => (dryRun ? { dryRun: "All" } : {});

async function undefinedWhenAbsent<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (isClusterError(error, "not_found")) return undefined;
    throw error;
  }
}
