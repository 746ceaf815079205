import { PassThrough } from "node:stream";
import { podContainers, podPaths } from "../../core/pod-agent.ts";
import type { Cluster, PodRef } from "../../k8s/cluster.ts";
import { isClusterError } from "../../k8s/cluster-error.ts";
import { AetherError, messageOf } from "../../lib/errors.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Session } from "../runtime.ts";

/** Runs a command in the application's container; one that is given up is ended there as well, with all it started. */
export async function runInPod(
  { cluster, log }: { cluster: Cluster; log: Logger },
  pod: PodRef,
  session: Session,
): Promise<number> {
  const { id, command, terminal, stdin, stdout, stderr, signal } = session;
  const options = { ...(terminal ? { terminal } : {}), stdin, stdout, stderr, signal };
  try {
    return await cluster.exec(pod, { container: podContainers.app, command: marked(id, command), ...options });
  } catch (error) {
    if (signal.aborted) await endInPod(cluster, pod, id).catch((failure) => leftBehind(log, pod, failure));
    throw explained(error);
  }
}

/** Found again by a variable, which all that it starts inherits. The shell is there: it starts the application, too. */
function marked(id: string, command: string[]): string[] {
  const path = `${podPaths.app}/node_modules/.bin:"$PATH"`;
  return ["/bin/sh", "-c", `export ${marker}="$1" PATH=${path}; shift; exec "$@"`, "aether", id, ...command];
}

const marker = "AETHER_SESSION";

/** Kubernetes leaves a command running when its caller goes. The image has Node, and may have neither `ps` nor `pkill`. */
async function endInPod(cluster: Cluster, pod: PodRef, id: string): Promise<void> {
  const command = ["node", "-e", enderScript, `${marker}=${id}`];
  const signal = AbortSignal.timeout(20_000);
  await cluster.exec(pod, { container: podContainers.app, command, stdout: new PassThrough().resume(), signal });
}

const enderScript = `
const fs = require("fs");
const [, mark] = process.argv;
const isMarked = (pid) => {
  try { return fs.readFileSync("/proc/" + pid + "/environ", "latin1").split("\\0").includes(mark); } catch { return false; }
};
const marked = () => fs.readdirSync("/proc").filter((name) => /^\\d+$/.test(name) && isMarked(name)).map(Number);
const send = (signal) => { for (const pid of marked()) try { process.kill(pid, signal); } catch {} };
send("SIGTERM");
let waits = 50;
const timer = setInterval(() => {
  const isOver = marked().length === 0;
  if (!isOver && waits-- > 0) return;
  clearInterval(timer);
  if (!isOver) send("SIGKILL");
}, 100);
`;

function leftBehind(log: Logger, pod: PodRef, failure: unknown): void {
  if (isClusterError(failure, "not_found")) return; // the pod went, and the command with it
  log.warn("a command that was given up may still run in its pod", { pod: pod.name, why: messageOf(failure) });
}

function explained(error: unknown): unknown {
  if (!isClusterError(error)) return error;
  const { problem, message } = error;
  if (problem === "not_found") {
    return new AetherError("not_found", "The replica is gone.", { cause: error, hint: "Run the command again." });
  }
  if (/"\/bin\/sh"|no such file or directory/.test(message)) {
    return new AetherError("conflict", "The image that the application runs in has no shell, /bin/sh.", {
      cause: error,
      hint: "Use an image that has one, such as those named in AETHER_RUNTIME_IMAGE's documentation.",
    });
  }
  if (/container not found|is not running|not created|cannot exec in a (stopped|deleted)/i.test(message)) {
    return new AetherError("conflict", "The application's container does not run at this moment.", {
      cause: error,
      hint: "aether status tells why; aether run starts a container for the command alone.",
    });
  }
  return error;
}
