import { createInterface } from "node:readline";
import type { AgentCommand, AgentEvent, AgentSpec } from "../core/agent-protocol.ts";
import { runAgent } from "./run-agent.ts";

const starting = new AbortController();
const stopping = new AbortController();
const stop = () => stopping.abort();
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, stop);
process.stdout.on("error", stop); // no one listens any more

const lines = createInterface({ input: process.stdin }).on("close", stop);
lines.once("line", (first) => {
  lines.on("line", (line) => {
    const { op } = JSON.parse(line) as AgentCommand;
    if (op === "start") starting.abort();
    if (op === "stop") stop();
  });
  const control = { emit, start: starting.signal, stop: stopping.signal };
  // What a forgotten handle would keep open must not keep a stopped agent alive.
  void runAgent(JSON.parse(first) as AgentSpec, control).finally(() => process.exit());
});

function emit(event: AgentEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
