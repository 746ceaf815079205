import { countRequest } from "../telemetry/metrics/http.ts";
import type { Metrics } from "../telemetry/metrics.ts";

type Handler = (request: Request) => Promise<Response>;

/** The embedded storage's own URLs, counted like every other route; their PUTs are uploads through this server. */
export function createStorageHandler(handle: Handler, metrics: Metrics): Handler {
  return async function handleStorage(request) {
    const started = performance.now();
    const response = await handle(request);
    const seconds = (performance.now() - started) / 1000;
    countRequest(metrics, { method: request.method, path: "/storage/{key}", status: response.status, seconds });
    if (request.method === "PUT") metrics.putDuration.observe(seconds);
    if (request.method === "PUT" && response.status === 400) countRefusal(metrics, await response.clone().text());
    return response;
  };
}

/** What a bucket would refuse by itself, unseen by this server. */
function countRefusal(metrics: Metrics, body: string): void {
  const { code } = JSON.parse(body) as { code?: string };
  if (code === "digest_mismatch") metrics.digestMismatch.inc();
  if (code === "size_exceeded") metrics.sizeExceeded.inc();
}
