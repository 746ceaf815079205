import type { ReleaseChanges } from "./kubernetes-runtime.ts";
import { answering, packageJson } from "./project.ts";

/** An application that does not run on Kubernetes, and what has to be said of it. */
export interface BrokenApp {
  app: string;
  reason: string;
  message: RegExp;
  /** A line of its log. */
  log?: RegExp;
  server?: string;
  release?: ReleaseChanges;
  /** What is served instead of its bytes. */
  served?: "nothing" | "other bytes" | "no archive";
}

const crash = `console.log("about to throw"); throw new Error("no database");`;
const config = { start: "node server.js" };

/** On a server that is patient for a few seconds. */
export const brokenApps: BrokenApp[] = [
  {
    app: "crashes",
    server: crash,
    reason: "crash_loop",
    message: /exited with code 1, /,
    log: /no database/,
  },
  { app: "ends", server: `console.log("done");`, reason: "exited", message: /exit code 0/, log: /done/ },
  {
    app: "no-such-file",
    release: { config: { start: "node missing.js" } },
    reason: "crash_loop",
    message: /`node missing.js` exited with code 1/,
    log: /Cannot find module/,
  },
  {
    app: "no-such-command",
    release: { config: { start: "nosuchprogram" } },
    reason: "crash_loop",
    message: /exited with code 127/,
    log: /nosuchprogram/,
  },
  {
    app: "eats-memory",
    server: `console.log("eating"); const kept = []; setInterval(() => kept.push(Buffer.alloc(64e6, 1)), 10);`,
    reason: "oom_killed",
    message: /ran out of memory; its limit is 512Mi/,
    log: /eating/,
  },
  {
    app: "deaf",
    server: `console.log("thinking"); setInterval(() => {}, 1000);`,
    reason: "not_listening",
    message: /does not answer on port 3000 .*PORT/,
    log: /thinking/,
  },
  {
    app: "elsewhere",
    server: `require("node:http").createServer().listen(4000, () => console.log("on 4000"));`,
    reason: "not_listening",
    message: /does not answer on port 3000/,
    log: /on 4000/,
  },
  {
    app: "only-loopback",
    server: `require("node:http").createServer().listen(process.env.PORT, "127.0.0.1", () => console.log("here"));`,
    reason: "not_listening",
    message: /on all addresses/,
    log: /here/,
  },
  {
    app: "ill",
    server: answering("x").replace("response.end", "response.statusCode = 500; response.end"),
    release: { config: { ...config, health: { path: "/healthz" } } },
    reason: "probe_failed",
    message: /GET \/healthz on port 3000 failed .*500/,
    log: /asked \/healthz/,
  },
  { app: "no-artifact", served: "nothing", reason: "artifact_not_found", message: /./ },
  { app: "other-bytes", served: "other bytes", reason: "digest_mismatch", message: /./, log: /digest_mismatch/ },
  { app: "no-archive", served: "no archive", reason: "unpack_failed", message: /./ },
  { app: "unsigned", release: { publicKeys: ["d7".repeat(32)] }, reason: "signature_invalid", message: /./ },
  {
    app: "no-server",
    release: { downloadUrl: "http://10.244.0.1:1/artifacts/x/download" },
    reason: "server_unreachable",
    message: /does not reach this server .*AETHER_INTERNAL_URL/,
    log: /waiting/,
  },
  {
    app: "no-image",
    release: { pins: { image: "no.example/none:20" } },
    reason: "image_pull",
    message: /Failed to pull image .no.example|no.example\/none:20 cannot be pulled/,
  },
  { app: "bad-image", release: { pins: { image: "Not An Image" } }, reason: "image_pull", message: /Not An Image/ },
  {
    app: "no-node",
    release: { pins: { image: "busybox:1" } },
    reason: "image_pull",
    message: /busybox:1 cannot run the agent/,
  },
  {
    app: "nowhere",
    release: { pins: { node_selector: { "no-such": "label" } } },
    reason: "unschedulable",
    message: /node selector|affinity/,
  },
  {
    app: "old-node",
    release: { config: { ...config, node: ">=99" } },
    reason: "unschedulable",
    message: /asks for Node.js >=99/,
  },
];

/** The files of it. */
export const filesOf = ({ app, server = answering("never") }: BrokenApp): Record<string, string> => ({
  "package.json": packageJson(app),
  "server.js": server,
});
