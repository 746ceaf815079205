import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { appEnvironment } from "../../core/app-environment.ts";
import { writeFileDurably } from "../../lib/durable-write.ts";
import { AetherError } from "../../lib/errors.ts";
import { processRecord } from "../../lib/processes.ts";
import type { Connection, Release, Runtime, Session } from "../runtime.ts";
import { runCommand } from "./command.ts";
import type { Layout } from "./layout.ts";
import type { Ports } from "./ports.ts";
import type { Upstream } from "./routes.ts";

export interface LocalSessionsOptions {
  layout: Layout;
  ports: Ports;
  /** What applications get of the server's environment. */
  env: Record<string, string>;
  nodePath: () => Promise<string>;
  graceMs: number;
  serving: (app: string) => { release: Release; upstreams: Upstream[] } | undefined;
}

export interface LocalSessions extends Required<Pick<Runtime, "exec" | "run" | "forward">> {
  /** Ends all of them. */
  stop(): Promise<void>;
}

/** Commands as child processes beside the application's own, in its folder and with its environment. */
export function createLocalSessions(options: LocalSessionsOptions): LocalSessions {
  const { layout, ports, serving } = options;
  const stopping = new AbortController();
  const open = new Set<Promise<unknown>>();

  function kept<T>(session: Promise<T>): Promise<T> {
    open.add(session);
    session.finally(() => open.delete(session)).catch(() => {}); // its caller hears of it
    return session;
  }

  async function start(release: Release, session: Session, port: number): Promise<number> {
    const own = layout.app(release.app);
    const folder = join(own.releases, release.digest);
    if (!existsSync(folder)) throw notHere(release.app);
    const given = { ...options.env, HOME: own.home, ...release.env };
    const env = appEnvironment(given, { folder, nodePath: await options.nodePath(), port });
    const recordPath = join(layout.processes, `${release.app}-session-${session.id}.json`);
    const signal = AbortSignal.any([session.signal, stopping.signal]);
    const onStart = (pid: number) => writeFileDurably(recordPath, JSON.stringify({ app: processRecord(pid) }));
    try {
      return await runCommand({ ...session, signal }, { folder, env, graceMs: options.graceMs, onStart });
    } finally {
      await rm(recordPath, { force: true });
    }
  }

  async function run(app: string, session: Session): Promise<number> {
    const served = serving(app);
    if (served === undefined) throw new AetherError("conflict", `No release of ${app} runs.`, { hint: "Deploy it." });
    const port = await ports.take(); // one that it may listen on, as a replica would
    try {
      return await start(served.release, session, port);
    } finally {
      ports.release(port);
    }
  }

  function replicaOf(app: string, name: string): { release: Release; upstream: Upstream } {
    const { release, upstreams = [] } = serving(app) ?? {};
    const upstream = upstreams.find(({ replica }) => replica === name);
    if (release && upstream) return { release, upstream };
    throw new AetherError("conflict", `The replica ${name} of ${app} does not answer at this moment.`, {
      hint: "aether status tells why; aether run needs none.",
    });
  }

  return {
    async exec(app, replica, session) {
      const { release, upstream } = replicaOf(app, replica);
      return await kept(start(release, session, upstream.port));
    },
    run: (app, session) => kept(run(app, session)),
    async forward(app, replica, connection) {
      const { upstream } = replicaOf(app, replica);
      const signal = AbortSignal.any([connection.signal, stopping.signal]);
      await kept(forwardTo(upstream, { ...connection, signal }));
    },
    async stop() {
      stopping.abort(new AetherError("service_unavailable", "The server stops."));
      await Promise.allSettled(open);
    },
  };
}

/** No other port of this machine: what listens there may be anybody's. */
async function forwardTo(upstream: Upstream, { port, input, output, signal }: Connection): Promise<void> {
  if (port !== undefined && port !== upstream.port) {
    throw new AetherError("bad_request", `Only the application's own port can be reached here, not ${port}.`, {
      hint: "Leave the port away.",
    });
  }
  const socket = connect({ host: upstream.host, port: upstream.port, allowHalfOpen: true });
  await Promise.all([pipeline(input, socket, { signal }), pipeline(socket, output, { signal })]);
}

const notHere = (app: string): AetherError =>
  new AetherError("conflict", `The release of ${app} is not unpacked on this machine.`, {
    hint: `It is once a replica was started: aether scale ${app} 1.`,
  });
