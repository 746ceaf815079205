import type { ClusterAccess } from "./access.ts";
import { ClusterError } from "./cluster-error.ts";
import { type Credentials, fileSource, fixedSource, sourceCredentials, type TextSource } from "./credentials.ts";
import { pluginCredentials } from "./exec-plugin.ts";
import type { ClusterEntry, KubeconfigContext, UserEntry } from "./kubeconfig.ts";

/** How a kubeconfig's context is reached; `pluginEnv` is the environment of a credential plugin. */
export function kubeconfigAccess(context: KubeconfigContext, pluginEnv: Record<string, string>): ClusterAccess {
  const { cluster } = context;
  const proxyUrl = cluster["proxy-url"];
  if (proxyUrl && !/^https?:/.test(proxyUrl)) {
    throw new ClusterError("config", `The kubeconfig asks for the proxy ${new URL(proxyUrl).protocol}//…`, {
      hint: "Only http and https proxies are spoken.",
    });
  }
  return {
    server: cluster.server.replace(/\/+$/, ""),
    namespace: context.namespace ?? "default",
    ca: source(cluster["certificate-authority-data"], cluster["certificate-authority"], "the authority of the cluster"),
    isInsecure: cluster["insecure-skip-tls-verify"] ?? false,
    tlsServerName: cluster["tls-server-name"],
    proxyUrl,
    credentials: credentialsOf(context, pluginEnv),
  };
}

function credentialsOf({ user, cluster }: KubeconfigContext, pluginEnv: Record<string, string>): Credentials {
  if (user["auth-provider"]) throw unsupported(`the auth provider "${user["auth-provider"].name}"`);
  if (user.as) throw unsupported("impersonation");
  if (user.exec && !user.token && !user.tokenFile) {
    const { apiVersion, command, args = [], env = [], installHint, provideClusterInfo } = user.exec;
    const own = Object.fromEntries(env.map(({ name, value }) => [name, value]));
    const clusterInfo = provideClusterInfo ? toClusterInfo(cluster) : undefined;
    return pluginCredentials({ apiVersion, command, args, env: { ...pluginEnv, ...own }, installHint, clusterInfo });
  }
  if (user.username !== undefined) return basicCredentials(user.username, user.password ?? "");
  return sourceCredentials(sourcesOf(user));
}

function sourcesOf(user: UserEntry): Parameters<typeof sourceCredentials>[0] {
  // As with kubectl, the file goes before the token, and data before a file.
  const token = user.tokenFile ? fileSource(user.tokenFile, "the token file") : user.token && fixedSource(user.token);
  const cert = source(user["client-certificate-data"], user["client-certificate"], "the client certificate");
  const key = source(user["client-key-data"], user["client-key"], "the key of the client certificate");
  return { ...(token ? { token } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
}

function basicCredentials(username: string, password: string): Credentials {
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  return { current: async () => ({ authorization }), renew: async () => false };
}

function source(data: string | undefined, path: string | undefined, what: string): TextSource | undefined {
  if (data) return fixedSource(Buffer.from(data, "base64").toString("utf8"));
  return path ? fileSource(path, what) : undefined;
}

function toClusterInfo(cluster: ClusterEntry): Record<string, unknown> {
  const { server, "certificate-authority-data": data, "insecure-skip-tls-verify": insecure } = cluster;
  return { server, "certificate-authority-data": data, "insecure-skip-tls-verify": insecure ?? false };
}

function unsupported(what: string): ClusterError {
  return new ClusterError("config", `The kubeconfig asks for ${what}, which is not spoken here.`, {
    hint: "Use a context with a client certificate, a token, or an exec credential plugin.",
  });
}
