import { type Readable, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { KubeConfig, V1Status } from "@kubernetes/client-node";
import type { TerminalSize } from "../core/session-frames.ts";
import type { Terminal } from "../core/terminal.ts";
import type { ClusterAccess } from "./access.ts";
import type { ExecOptions, PodRef } from "./cluster.ts";
import { ClusterError, type ClusterProblem } from "./cluster-error.ts";
import { type PodSocket, pacedInput, pacedOutput } from "./paced-streams.ts";

/** Runs a command in a container until it ends; its exit code. */
export async function execInPod(access: ClusterAccess, pod: PodRef, options: ExecOptions): Promise<number> {
  const { container, command, terminal, signal } = options;
  signal?.throwIfAborted();
  const { Exec } = await import("@kubernetes/client-node"); // its models take a third of a second to load
  const exec = new Exec(await toKubeConfig(access));
  const status = Promise.withResolvers<V1Status>();
  status.promise.catch(() => {}); // awaited below, when there is a connection
  const connection = Promise.withResolvers<PodSocket>();
  const stdin = options.stdin ? pacedInput(options.stdin, connection.promise) : null;
  const stdout = options.stdout ? pacedOutput(options.stdout, connection.promise) : null;
  const stderr = options.stderr && !terminal ? pacedOutput(options.stderr, connection.promise) : null;
  const socket = (await exec
    .exec(pod.namespace, pod.name, container, command, stdout, stderr, stdin, terminal !== undefined, status.resolve)
    .catch((error) => {
      throw streamFailure(`run a command in pod "${pod.name}"`, error);
    })) as PodSocket;
  connection.resolve(socket);
  const end = () => {
    status.reject(signal?.reason);
    socket.terminate(); // one that is paused reads no answer to a farewell
  };
  signal?.addEventListener("abort", end, { once: true });
  if (signal?.aborted) end();
  socket.addEventListener("close", () =>
    status.reject(streamFailure(`run a command in pod "${pod.name}" to its end`, new Error("the connection broke"))),
  );
  if (terminal) followSize(socket, terminal);
  try {
    const code = exitCodeOf(await status.promise);
    await Promise.all([stdout, stderr].map((stream) => stream && finished(stream, { signal }).catch(() => undefined)));
    return code;
  } finally {
    signal?.removeEventListener("abort", end);
    socket.close();
  }
}

const resizeChannel = 4;

function followSize(socket: PodSocket, terminal: Terminal): void {
  const tell = ({ columns, rows }: TerminalSize) => {
    if (socket.readyState !== socket.OPEN) return;
    const size = JSON.stringify({ Width: columns, Height: rows });
    socket.send(Buffer.concat([Buffer.from([resizeChannel]), Buffer.from(size)]));
  };
  tell(terminal);
  terminal.onResize(tell);
}

/** Connects two streams with a port of a pod, as one TCP connection would; the output ends with it. */
export async function forwardPort(
  access: ClusterAccess,
  pod: PodRef,
  port: number,
  streams: { input: Readable; output: Writable },
): Promise<AsyncDisposable> {
  const { PortForward } = await import("@kubernetes/client-node");
  const forward = new PortForward(await toKubeConfig(access));
  const complaints: Buffer[] = [];
  const complain = new Writable({
    write(chunk, _encoding, done) {
      complaints.push(chunk);
      done();
    },
  });
  const connection = Promise.withResolvers<PodSocket>();
  const input = pacedInput(streams.input, connection.promise, { isEndless: true });
  const output = pacedOutput(streams.output, connection.promise);
  const socket = (await forward.portForward(pod.namespace, pod.name, [port], output, complain, input).catch((error) => {
    throw streamFailure(`reach port ${port} of pod "${pod.name}"`, error);
  })) as PodSocket;
  connection.resolve(socket);
  socket.addEventListener("close", () => {
    const said = Buffer.concat(complaints).toString("utf8").trim();
    input.destroy();
    if (said === "") output.end();
    else streams.output.destroy(streamFailure(`reach port ${port} of pod "${pod.name}"`, new Error(said)));
  });
  return {
    async [Symbol.asyncDispose]() {
      socket.terminate();
    },
  };
}

/** A kubeconfig of client-node's with our certificates, and our credentials as they are now. */
async function toKubeConfig(access: ClusterAccess): Promise<KubeConfig> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  const ca = await access.ca?.read();
  config.loadFromClusterAndUser(
    {
      name: "cluster",
      server: access.server,
      skipTLSVerify: access.isInsecure,
      ...(ca ? { caData: Buffer.from(ca).toString("base64") } : {}),
      ...(access.tlsServerName ? { tlsServerName: access.tlsServerName } : {}),
      ...(access.proxyUrl ? { proxyUrl: access.proxyUrl } : {}),
    },
    { name: "aether" },
  );
  config.addAuthenticator({
    isAuthProvider: () => true,
    async applyAuthentication(_user, options) {
      const { authorization, cert, key } = await access.credentials.current();
      Object.assign(options, cert ? { cert } : {}, key ? { key } : {});
      if (authorization) options.headers = { ...options.headers, Authorization: authorization };
    },
  });
  return config;
}

function exitCodeOf(status: V1Status): number {
  if (status.status === "Success") return 0;
  const code = status.details?.causes?.find((cause) => cause.reason === "ExitCode")?.message;
  if (status.reason === "NonZeroExitCode" && code !== undefined) return Number.parseInt(code, 10);
  throw new ClusterError("failed", `The command could not be run: ${status.message ?? "Kubernetes says no more"}.`);
}

// A WebSocket that was refused tells the status at best, in the words of `ws`.
function streamFailure(doing: string, error: unknown): ClusterError {
  const said = ((error as { message?: string }).message ?? "it was refused").replace(/\.$/, "");
  const status = Number(/server response: (\d{3})/.exec(said)?.[1] ?? 0);
  const problem = problemOf[status] ?? "failed";
  return new ClusterError(problem, `Kubernetes did not let us ${doing}: ${why[problem] ?? said}.`, {
    cause: error,
    ...(status > 0 ? { httpStatus: status } : {}),
    hint: "Check that the pod and its container run, and that the account of this server may `create` its exec and portforward.",
  });
}

const problemOf: Record<number, ClusterProblem> = { 401: "unauthorized", 403: "forbidden", 404: "not_found" };

const why: Partial<Record<ClusterProblem, string>> = {
  unauthorized: "our credentials are not, or no longer, accepted",
  forbidden: "our account has no right to",
  not_found: "there is no such pod",
};
