import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { AgentCommand, AgentEvent, AgentSpec } from "../../core/agent-protocol.ts";

/** How to start agents on this machine. */
export interface AgentCommandLine {
  nodePath: string;
  agentPath: string;
  /** The agent's whole environment; the application's comes in its spec. */
  env: Record<string, string>;
}

/** A running agent and, below it, one replica of an application. */
export interface Instance {
  readonly spec: AgentSpec;
  /** The agent has ended, and with it everything it reported. */
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  /** The process group of the application, once it was started. */
  readonly appGroup: number | undefined;
  /** The last of what the agent itself wrote to its standard error: nothing, unless it has a bug or Node.js a message. */
  readonly complaint: string;
  /** Ends the waiting of `waitForStart`. */
  start(): void;
  /** Asks the agent to stop its application and itself; returns when it has. */
  stop(): Promise<void>;
}

/** The agent has its application's grace twice (it may be stopped while it ends a crashed one) and a little to end itself. */
const agentGraceMs = 6_000;

/**
 * Starts an agent in a session of its own: Ctrl-C in the server's terminal must reach the server only, which then
 * stops its applications in order.
 */
export function startInstance(
  spec: AgentSpec,
  command: AgentCommandLine,
  observe: (event: AgentEvent) => void,
): Instance {
  const agent = spawn(command.nodePath, [command.agentPath], {
    env: command.env,
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  let appGroup: number | undefined;
  let complaint = "";
  const ended = endOf(agent);
  agent.stdin.on("error", () => undefined); // an agent that is gone is reported by `ended`
  const send = (value: AgentSpec | AgentCommand) => void agent.stdin.write(`${JSON.stringify(value)}\n`);
  send(spec);
  createInterface({ input: agent.stdout }).on("line", (line) => {
    const event = parseEvent(line);
    if (event?.event === "started") appGroup = event.pid;
    if (event) observe(event);
  });
  agent.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-complaintLength);
  });
  return {
    spec,
    ended,
    get complaint() {
      return complaint;
    },
    get appGroup() {
      return appGroup;
    },
    start: () => send({ op: "start" }),
    async stop() {
      agent.stdin.end();
      const limit = setTimeout(() => agent.kill("SIGKILL"), 2 * spec.graceMs + agentGraceMs);
      await ended;
      clearTimeout(limit);
    },
  };
}

const complaintLength = 4_000;

/** Anything else on an agent's standard output (a notice of Node.js) is no event. */
function parseEvent(line: string): AgentEvent | undefined {
  try {
    return JSON.parse(line) as AgentEvent;
  } catch {
    return undefined;
  }
}

/** Both the exit and the last event: a `failed` must not be overtaken by the end. */
async function endOf(agent: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
  return new Promise((done) => {
    agent.once("error", () => done({ code: null, signal: null }));
    agent.once("close", (code, signal) => setImmediate(() => done({ code, signal })));
  });
}
