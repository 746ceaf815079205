import type { PodLogOptions, PodRef } from "./cluster.ts";
import { networkFailure } from "./network-failure.ts";
import { inWords, objectPath } from "./object-path.ts";
import { splitLines } from "./split-lines.ts";
import type { Transport } from "./transport.ts";

// A program may write for ever without a line's end.
const longestLine = 256 * 1024;

/** The lines of a container, read by the API server from its kubelet; `signal` ends them quietly. */
export async function podLogs(
  transport: Transport,
  pod: PodRef,
  options: PodLogOptions,
  signal: AbortSignal,
): Promise<AsyncIterable<string>> {
  const { keepEnds = false, ...query } = options;
  const ref = { kind: "Pod", ...pod };
  const response = await transport.open({
    method: "GET",
    path: objectPath(ref, "log"),
    query,
    doing: inWords("read the log of", ref),
    signal,
  });
  return linesOf(response, { server: transport.server, keepEnds }, signal);
}

async function* linesOf(
  response: Response,
  { server, keepEnds }: { server: string; keepEnds: boolean },
  signal: AbortSignal,
): AsyncGenerator<string> {
  try {
    if (response.body) yield* splitLines(response.body, { keepRest: true, keepEnds, longest: longestLine });
  } catch (error) {
    if (signal.aborted) return;
    throw networkFailure(error, server);
  }
}
