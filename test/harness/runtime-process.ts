// A server's driver in a process of its own, to be killed: `bun runtime-process.ts <folder> <agent> <storage origin>`.
// Reads releases as JSON lines from standard input, writes events to standard output.
import { createInterface } from "node:readline";
import { startGateway } from "../../src/runtime/local/gateway.ts";
import { createLocalRuntime } from "../../src/runtime/local/local-runtime.ts";
import { createLogger } from "../../src/telemetry/log.ts";

const [, , folder = "", agent = "", storageOrigin = ""] = process.argv;
const log = createLogger({ level: "warn", format: "json", write: (line) => void process.stderr.write(line) });
const runtime = createLocalRuntime({
  folder,
  agent: { path: agent },
  env: { PATH: process.env.PATH ?? "" },
  gatewayUrl: () => "",
  storageOrigins: [storageOrigin],
  graceMs: 1_000,
  log,
});
const gateway = await startGateway({ routes: runtime.routes, host: "127.0.0.1", port: 0, log, listsApps: true });
const say = (value: object) => void process.stdout.write(`${JSON.stringify(value)}\n`);
await runtime.start(say);
say({ type: "started", port: gateway.port });
createInterface({ input: process.stdin }).on("line", (line) => void runtime.apply(JSON.parse(line)));
