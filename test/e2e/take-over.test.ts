import { expect, test } from "bun:test";
import { request as send } from "node:http";
import { join } from "node:path";
import { createUser, runJson, startServe } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { packageJson } from "../harness/project.ts";

const full = process.env.AETHER_TEST_FULL === "1";
const deploys = full ? 20 : 4;
const requestsPerSecond = full ? 200 : 100;

const source = (version: number) => `
const server = require("node:http").createServer((request, response) => {
  const slow = request.url === "/slow" ? 300 : 0;
  setTimeout(() => response.end("v${version}"), slow);
});
server.listen(process.env.PORT);
process.on("SIGTERM", () => server.close(() => process.exit(0)));
`;

/** One request on a connection of its own; the status, or what went wrong. */
function ask(gateway: string, path: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const { hostname, port } = new URL(gateway);
  const request = send({ hostname, port, path, headers: { host: "busy.localhost" }, agent: false }, (response) => {
    let text = "";
    response.on("data", (chunk) => {
      text += chunk;
    });
    response.on("end", () =>
      resolve(response.statusCode === 200 && /^v\d+$/.test(text) ? "ok" : `${response.statusCode} ${text}`),
    );
    response.on("error", (error) => resolve(error.message));
  });
  request.on("error", (error) => resolve(error.message));
  request.end();
  return promise;
}

test(`no request fails while ${deploys} releases take over under ${requestsPerSecond} requests a second`, async () => {
  await using user = await createUser();
  await using server = await startServe(user);
  const release = async (version: number) => {
    const files = { "package.json": packageJson("busy"), "server.js": source(version) };
    const folder = await writeFiles(join(user.path, "busy"), files);
    const { code, stderr } = await runJson(user, ["deploy", folder, "--server", server.api]);
    expect(code === 0 ? "" : stderr).toBe("");
  };
  await release(0);
  const outcomes: Promise<string>[] = [];
  const load = setInterval(() => {
    outcomes.push(ask(server.gateway, outcomes.length % 20 === 0 ? "/slow" : "/"));
  }, 1000 / requestsPerSecond);
  for (let version = 1; version <= deploys; version += 1) await release(version);
  clearInterval(load);
  const failures = (await Promise.all(outcomes)).filter((outcome) => outcome !== "ok");
  expect(failures).toEqual([]);
  expect(outcomes.length).toBeGreaterThan(deploys * 10);
  expect(await (await server.ask("busy")).text()).toBe(`v${deploys}`);
}, 180_000);
