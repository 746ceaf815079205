import { join } from "node:path";
import { linesOf } from "../../test/harness/lines-of.ts";
import { temporaryFolder } from "../../test/harness/temporary-folder.ts";

/** An Axum implementation of the same API on this kind of machine (design, section 9). */
const reference = { get: 13_600, post: 2_540 };

/** Requests a second with 32 connections on one Postgres, by wrk (Debian's package), and their ratio to the reference. */
export async function benchApi(): Promise<Record<string, number | string>> {
  const wrk = Bun.which("wrk");
  if (wrk === null) return { "requests per second": "not measured: there is no wrk on PATH" };
  await using folder = await temporaryFolder();
  await using server = linesOf(join(import.meta.dir, "api-server.ts"), []);
  const { api, deployment, deployments } = JSON.parse((await server.next()) ?? "{}");
  const script = join(folder.path, "post.lua");
  await Bun.write(script, postScript(deployments));
  const get = await measure([wrk, ...load, `${api}/deployments/${deployment}`]);
  const post = await measure([wrk, ...load, "-s", script, api]);
  return {
    "GET /deployments/{id}, per second": get.perSecond,
    "its ratio to the reference": (get.perSecond / reference.get).toFixed(2),
    "its p99": get.p99,
    "POST /deployments, per second": post.perSecond,
    "its ratio to the reference ": (post.perSecond / reference.post).toFixed(2),
    "its p99 ": post.p99,
  };
}

const load = ["--threads", "1", "--connections", "32", "--duration", "5s", "--latency"];

/** Each request another app's turn. */
function postScript(bodies: unknown[]): string {
  const list = bodies.map((body) => `[[${JSON.stringify(body)}]]`).join(",\n");
  return `local bodies = {\n${list}\n}
local at = 0
request = function()
  at = at % #bodies + 1
  return wrk.format("POST", "/deployments", { ["Content-Type"] = "application/json" }, bodies[at])
end
`;
}

async function measure(command: string[]): Promise<{ perSecond: number; p99: string }> {
  const text = await new Response(Bun.spawn(command).stdout).text();
  if (/Non-2xx/.test(text)) throw new Error(text);
  const perSecond = Math.round(Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]));
  return { perSecond, p99: /99%\s+(\S+)/.exec(text)?.[1] ?? "?" };
}
