import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const page = readFileSync(new URL("index.html", import.meta.url));
const startedAt = new Date().toISOString();
let count = 0;

const routes = {
  "GET /": (_, response) => response.setHeader("content-type", "text/html; charset=utf-8").end(page),
  "GET /health": (_, response) => json(response, { status: "ok" }),
  "GET /api/counter": (_, response) => json(response, { count, startedAt }),
  "POST /api/counter": (_, response) => json(response, { count: ++count, startedAt }),
};

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  const route = routes[`${request.method} ${pathname}`];
  if (route) return route(request, response);
  response.statusCode = 404;
  json(response, { error: `Nothing at ${request.method} ${pathname}` });
});

const json = (response, body) => response.setHeader("content-type", "application/json").end(JSON.stringify(body));

server.listen(process.env.PORT ?? 3000, () => console.log(`Listening on port ${server.address().port}`));

// Requests that have begun are answered; then nothing keeps the process alive.
process.once("SIGTERM", () => {
  console.log("Stopping");
  server.close();
  server.closeIdleConnections();
});
