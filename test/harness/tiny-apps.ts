/** Small real applications for runtimes to run. */

/** Answers `text`, its environment at /env, its process at /pid; finishes what it is doing when it is told to end. */
export const answering = (text: string) => ({ "server.js": `${server(text)}${graceful}` });

/** The same, but SIGTERM ends it in the middle of whatever it is doing, as it does any Node.js program. */
export const abrupt = (text: string) => ({ "server.js": server(text) });

const server = (text: string) => `
const { createServer } = require("node:http");
const server = createServer((request, response) => {
  if (request.url === "/env") return response.end(JSON.stringify(process.env));
  if (request.url === "/pid") return response.end(String(process.pid));
  if (request.url === "/crash") { response.end("bye"); return setImmediate(() => process.exit(3)); }
  if (request.url.startsWith("/slow")) return setTimeout(() => response.end(${JSON.stringify(text)}), Number(request.url.slice(6)));
  response.end(${JSON.stringify(text)});
}).listen(process.env.PORT, () => console.log("listening on " + process.env.PORT));
`;

const graceful = `
process.on("SIGTERM", () => { console.log("got SIGTERM"); server.close(() => process.exit(0)); server.closeIdleConnections(); });
`;
