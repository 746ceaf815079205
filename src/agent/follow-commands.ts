import { createInterface } from "node:readline";
import type { AgentCommand, AgentEvent, AgentSpec } from "../core/agent-protocol.ts";
import { runAgent } from "./run-agent.ts";

/** The agent as a server's child process: its spec and commands come by standard input. Settles with the exit code. */
export function followCommands(): Promise<number> {
  const starting = new AbortController();
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, stop);
  process.stdout.on("error", stop); // no one listens any more

  const lines = createInterface({ input: process.stdin }).on("close", stop);
  return new Promise((ended) => {
    lines.once("line", (first) => {
      lines.on("line", (line) => {
        const { op } = JSON.parse(line) as AgentCommand;
        if (op === "start") starting.abort();
        if (op === "stop") stop();
      });
      const control = { emit, start: starting.signal, stop: stopping.signal };
      void runAgent(JSON.parse(first) as AgentSpec, control).finally(() => ended(0));
    });
  });
}

function emit(event: AgentEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
