import { expect, test } from "bun:test";
import { createServer } from "node:http";
import { waitUntilAnswering } from "../../src/agent/readiness.ts";

test("a probe that is cut off does not hide what the one before saw", async () => {
  let asked = 0;
  const giveUp = new AbortController();
  const server = createServer((_, response) => {
    asked += 1;
    if (asked === 1) return void response.writeHead(503).end();
    giveUp.abort(); // in the middle of the second probe, which gets no answer
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  expect(await waitUntilAnswering({ port, healthPath: "/" }, giveUp.signal)).toEqual({
    kind: "unhealthy",
    status: 503,
  });
  expect(asked).toBe(2);
  server.closeAllConnections();
  server.close();
});
