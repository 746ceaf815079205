/** A package.json of an application that starts with `node server.js`. */
export const packageJson = (name: string, more: object = {}): string =>
  JSON.stringify({ name, version: "1.0.0", private: true, scripts: { start: "node server.js" }, ...more }, null, 2);

/** A server that answers `text` everywhere, and says so in its log. */
export const answering = (text: string): string => `
const { createServer } = require("node:http");
const server = createServer((request, response) => {
  console.log("asked", request.url);
  response.end(${JSON.stringify(text)});
});
server.listen(process.env.PORT, () => console.log("listening"));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
`;
