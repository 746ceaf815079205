/** An application with all that a reload could cut: kept connections, slow answers, uploads, connections that are upgraded. */
export const busyApp = (text: string, listen = ".listen(process.env.PORT)") => ({
  "server.js": `
const { createServer } = require("node:http");
const text = ${JSON.stringify(text)};
createServer((request, response) => {
  const answer = (body) => { response.setHeader("Content-Length", body.length); response.end(body); };
  if (request.url === "/client") return answer(request.socket.remoteAddress + " " + request.socket.remotePort);
  if (request.url === "/pid") return answer(String(process.pid));
  if (request.url === "/env") return answer(JSON.stringify(process.env));
  if (request.url === "/ill") return response.writeHead(503).end();
  if (request.url === "/crash") { answer("bye"); return setTimeout(() => process.exit(3), 20); }
  if (request.url === "/keep") { response.writeHead(200, { Connection: "keep-alive", "Content-Length": 4 }); return response.end("kept"); }
  if (request.url.startsWith("/slow/")) return setTimeout(() => answer(text), Number(request.url.slice(6)));
  if (request.method === "POST") {
    let bytes = 0;
    request.on("data", (chunk) => { bytes += chunk.length; });
    return request.on("end", () => answer(bytes + " bytes to " + text));
  }
  answer(text);
}).on("upgrade", (request, socket, head) => {
  socket.unshift(head);
  socket.write("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: echo\\r\\nConnection: Upgrade\\r\\n\\r\\n");
  socket.on("data", (chunk) => socket.write(text + " " + chunk));
  socket.on("end", () => socket.end()).on("error", () => {});
})${listen};
console.log(text + " starts");
`,
});
