import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { YAML } from "bun";
import { z } from "zod";
import { messageOf, systemCode } from "../lib/errors.ts";
import { ClusterError } from "./cluster-error.ts";

// client-node's own loader knows no `tokenFile` and refuses two files that name the same user, which kubectl takes.
const nullable = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);
const text = nullable(z.string());

const clusterEntry = z.object({
  server: z.url({ protocol: /^https?$/ }),
  "certificate-authority": text,
  "certificate-authority-data": text,
  "insecure-skip-tls-verify": nullable(z.boolean()),
  "tls-server-name": text,
  "proxy-url": text,
});

const execEntry = z.object({
  apiVersion: z.string(),
  command: z.string(),
  args: nullable(z.array(z.string())),
  env: nullable(z.array(z.object({ name: z.string(), value: z.string() }))),
  installHint: text,
  provideClusterInfo: nullable(z.boolean()),
});

const userEntry = z.object({
  "client-certificate": text,
  "client-certificate-data": text,
  "client-key": text,
  "client-key-data": text,
  token: text,
  tokenFile: text,
  username: text,
  password: text,
  exec: nullable(execEntry),
  "auth-provider": nullable(z.object({ name: z.string() })),
  as: text,
});

const contextEntry = z.object({ cluster: z.string(), user: text, namespace: text });

const named = <Key extends string, T extends z.ZodType>(key: Key, entry: T) =>
  nullable(z.array(z.object({ name: z.string(), [key]: entry } as { name: z.ZodString } & Record<Key, T>)));

const kubeconfigFile = z.object({
  "current-context": text,
  clusters: named("cluster", clusterEntry),
  users: named("user", nullable(userEntry)),
  contexts: named("context", contextEntry),
});

export type ClusterEntry = z.output<typeof clusterEntry>;
export type UserEntry = z.output<typeof userEntry>;

/** One context with what it names; paths of files are absolute. */
export interface KubeconfigContext {
  name: string;
  namespace: string | undefined;
  cluster: ClusterEntry;
  user: UserEntry;
}

/** The context of that name, or the current one, of the files read as kubectl does: what comes first holds. */
export async function readKubeconfig(paths: string[], contextName?: string): Promise<KubeconfigContext> {
  const files = (await Promise.all(paths.map(readFileAt))).filter((file) => file !== undefined);
  const where = paths.join(", ");
  if (files.length === 0) throw noKubeconfig(where);

  const name = contextName ?? files.map((file) => file["current-context"]).find(Boolean);
  if (name === undefined) throw badChoice(`The kubeconfig (${where}) names no current context.`, files);
  const context = files.flatMap((file) => file.contexts ?? []).find((each) => each.name === name)?.context;
  if (!context) throw badChoice(`The kubeconfig (${where}) has no context "${name}".`, files);
  const cluster = files.flatMap((file) => file.clusters ?? []).find((each) => each.name === context.cluster)?.cluster;
  if (!cluster) throw broken(where, `context "${name}" names cluster "${context.cluster}", which is not there`);
  const user = files.flatMap((file) => file.users ?? []).find((each) => each.name === context.user);
  if (context.user && !user) throw broken(where, `context "${name}" names user "${context.user}", which is not there`);

  return { name, namespace: context.namespace, cluster, user: user?.user ?? userEntry.parse({}) };
}

type KubeconfigFile = z.output<typeof kubeconfigFile>;

async function readFileAt(path: string): Promise<KubeconfigFile | undefined> {
  const content = await readFile(path, "utf8").catch((error) => {
    if (systemCode(error) === "ENOENT") return undefined; // kubectl passes over files that are not there, too
    throw broken(path, messageOf(error), error);
  });
  if (content === undefined) return undefined;
  const parsed = kubeconfigFile.safeParse(parseYaml(path, content));
  if (!parsed.success) throw broken(path, z.prettifyError(parsed.error));
  return withAbsolutePaths(parsed.data, dirname(path));
}

function parseYaml(path: string, content: string): unknown {
  try {
    return YAML.parse(content) ?? {};
  } catch {
    throw broken(path, "it is not YAML"); // the parser's own words could quote a key
  }
}

function withAbsolutePaths(file: KubeconfigFile, folder: string): KubeconfigFile {
  const absolute = (entry: Record<string, unknown> | undefined, keys: string[]) => {
    for (const key of keys) {
      const value = entry?.[key];
      if (entry && typeof value === "string" && !isAbsolute(value)) entry[key] = join(folder, value);
    }
  };
  for (const { cluster } of file.clusters ?? []) absolute(cluster, ["certificate-authority"]);
  for (const { user } of file.users ?? []) {
    absolute(user, ["client-certificate", "client-key", "tokenFile"]);
    if (user?.exec?.command.includes("/")) absolute(user.exec, ["command"]);
  }
  return file;
}

function noKubeconfig(where: string): ClusterError {
  return new ClusterError("config", `There is no kubeconfig${where ? ` at ${where}` : ""}, and this is no pod.`, {
    hint: "Set KUBECONFIG to the path of one; `kubectl config view` shows what kubectl uses.",
  });
}

function badChoice(message: string, files: KubeconfigFile[]): ClusterError {
  const names = files.flatMap((file) => file.contexts ?? []).map((context) => context.name);
  return new ClusterError("config", message, {
    hint: names.length > 0 ? `Its contexts are: ${names.join(", ")}.` : "It has no context at all; use another one.",
  });
}

function broken(where: string, why: string, cause?: unknown): ClusterError {
  return new ClusterError("config", `The kubeconfig (${where}) cannot be used: ${why}.`, {
    cause,
    hint: "See whether kubectl can use it: `kubectl --kubeconfig <path> version`.",
  });
}
