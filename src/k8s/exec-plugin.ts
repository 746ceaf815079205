import { execFile } from "node:child_process";
import { z } from "zod";
import { messageOf } from "../lib/errors.ts";
import { ClusterError } from "./cluster-error.ts";
import { type Credentials, type Identity, isSame } from "./credentials.ts";

/** The `exec` part of a user in a kubeconfig. */
export interface ExecPlugin {
  apiVersion: string;
  command: string;
  args: string[];
  /** The whole environment it gets. */
  env: Record<string, string>;
  installHint?: string | undefined;
  /** What is told to a plugin that asks for it (`provideClusterInfo`). */
  clusterInfo?: Record<string, unknown> | undefined;
}

const answer = z.object({
  status: z.object({
    token: z.string().optional(),
    clientCertificateData: z.string().optional(),
    clientKeyData: z.string().optional(),
    expirationTimestamp: z.string().optional(),
  }),
});

const patienceMs = 30_000;
const usualRestMs = 10_000;

/**
 * Credentials of a program, kept until they expire or are refused. However many ask, it runs once at a time; what is
 * refused within `restMs` of its run is not worth another.
 */
export function pluginCredentials(plugin: ExecPlugin, restMs = usualRestMs): Credentials {
  let held: { identity: Identity; until: number; at: number } | undefined;
  let running: Promise<Identity> | undefined;

  function run(): Promise<Identity> {
    running ??= askPlugin(plugin)
      .then(({ identity, until }) => {
        held = { identity, until, at: Date.now() };
        return identity;
      })
      .finally(() => {
        running = undefined;
      });
    return running;
  }

  return {
    async current() {
      return held && Date.now() < held.until ? held.identity : await run();
    },
    async renew(refused) {
      if (held && !isSame(held.identity, refused)) return true;
      if (held && Date.now() - held.at < restMs) return false;
      return !isSame(await run(), refused);
    },
  };
}

async function askPlugin(plugin: ExecPlugin): Promise<{ identity: Identity; until: number }> {
  const output = await runPlugin(plugin);
  const parsed = answer.safeParse(parseJson(output));
  const status = parsed.data?.status;
  if (!status || (!status.token && !status.clientCertificateData)) {
    // What it wrote may hold a token, so it is not shown.
    throw new ClusterError("plugin", `${plugin.command} gave no credentials: its output is not an ExecCredential.`, {
      hint: `Run ${plugin.command} by hand; it must print JSON with status.token or status.clientCertificateData.`,
    });
  }
  const expires = Date.parse(status.expirationTimestamp ?? "");
  return {
    identity: {
      ...(status.token ? { authorization: `Bearer ${status.token}` } : {}),
      ...(status.clientCertificateData ? { cert: status.clientCertificateData } : {}),
      ...(status.clientKeyData ? { key: status.clientKeyData } : {}),
    },
    until: Number.isNaN(expires) ? Number.POSITIVE_INFINITY : expires,
  };
}

function runPlugin(plugin: ExecPlugin): Promise<string> {
  const info = {
    apiVersion: plugin.apiVersion,
    kind: "ExecCredential",
    spec: { interactive: false, ...(plugin.clusterInfo ? { cluster: plugin.clusterInfo } : {}) },
  };
  const env = { ...plugin.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) };
  return new Promise((resolve, reject) => {
    const child = execFile(
      plugin.command,
      plugin.args,
      { env, timeout: patienceMs, killSignal: "SIGKILL", maxBuffer: 1_000_000 },
      (error, stdout, stderr) => (error ? reject(pluginFailure(plugin, error, stderr)) : resolve(stdout)),
    );
    child.stdin?.on("error", () => {}); // it ended without reading
    child.stdin?.end();
  });
}

function pluginFailure(plugin: ExecPlugin, error: Error, stderr: string): ClusterError {
  const { code, killed } = error as { code?: string | number; killed?: boolean };
  if (code === "ENOENT") {
    return new ClusterError("plugin", `The kubeconfig asks for credentials by ${plugin.command}, which is not here.`, {
      cause: error,
      hint: plugin.installHint ?? `Install ${plugin.command}, or put its folder on the PATH of this process.`,
    });
  }
  const why = killed ? `gave no answer in ${patienceMs / 1_000} s` : reasonOf(code, stderr, error);
  return new ClusterError("plugin", `${plugin.command}, which the kubeconfig asks for credentials, ${why}.`, {
    cause: error,
    hint: `Run "${[plugin.command, ...plugin.args].join(" ")}" by hand as this user; logging in again often helps.`,
  });
}

function reasonOf(code: unknown, stderr: string, error: Error): string {
  const said = stderr.trim().slice(-300);
  if (typeof code !== "number") return `could not be run: ${messageOf(error)}`;
  return `ended with ${code}${said ? `: ${said}` : ""}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // said by the schema, without the text
  }
}
