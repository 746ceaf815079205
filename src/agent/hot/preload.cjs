// Loaded into each Node.js process of a dev-hot application before its own code (NODE_OPTIONS=--require): so it is found
// behind shells, npm and cluster. While a version is replaced it lets every client go in peace: the next answer on a
// kept connection carries `Connection: close`, and no idle connection is closed, or a request on its way would be lost.
"use strict";

const [publicPort = "", ownPort = "", socketPath = ""] = (process.env.AETHER_HOT ?? "").split(":");
const { openSync, readSync } = require("node:fs");
const net = require("node:net");
const { dirname, join } = require("node:path");

/** As `peer-table.ts` writes them. */
const entryBytes = 64;
let peers;
let link;
let isDraining = false;
let active = 0;
const seen = new WeakSet();

const { listen } = net.Server.prototype;
net.Server.prototype.listen = function (...args) {
  if (isHttp(this)) follow(this);
  return Reflect.apply(listen, this, withOwnPort(args));
};

/** Every version has a port of its own, also in a program that does not read PORT. */
function withOwnPort([first, ...rest]) {
  if (first === null || first === undefined) return [first, ...rest];
  if (typeof first === "object") {
    return [String(first.port) === publicPort ? { ...first, port: Number(ownPort) } : first, ...rest];
  }
  return [String(first) === publicPort ? Number(ownPort) : first, ...rest];
}

/** Of node:http or node:https. A module that the program does not use is not loaded to find out. */
function isHttp(server) {
  return "headersTimeout" in server && "requestTimeout" in server;
}

/** Counts what is under way. `emit` is wrapped because a listener for "upgrade" would change what the server does. */
function follow(server) {
  if (seen.has(server)) return;
  seen.add(server);
  linkUp();
  const { emit } = server;
  server.emit = function (name, ...args) {
    if (name === "connection") showClient(args[0]);
    if (name === "request" || name === "checkContinue" || name === "checkExpectation") begin(args[1]);
    if (name === "upgrade" || name === "connect") begin(args[1]);
    return Reflect.apply(emit, this, [name, ...args]);
  };
}

/** The supervisor is who connects; whose connection it is stands in a file that it has written before the first byte. */
function showClient(socket) {
  if (typeof socket?.remotePort !== "number") return;
  const port = socket.remotePort;
  const own = { remoteAddress: socket.remoteAddress, remotePort: port, remoteFamily: socket.remoteFamily };
  let client;
  for (const name of Object.keys(own)) {
    const get = () => {
      client ??= clientOf(port);
      return (client ?? own)[name];
    };
    Object.defineProperty(socket, name, { get, configurable: true, enumerable: false });
  }
}

function clientOf(port) {
  const entry = Buffer.alloc(entryBytes);
  try {
    peers ??= openSync(join(dirname(socketPath), "peers"), "r");
    readSync(peers, entry, 0, entryBytes, port * entryBytes);
  } catch {
    return undefined; // the supervisor is gone, and nobody is forwarded any more
  }
  const [remoteAddress = "", remotePort] = entry.toString("latin1").replace(/\0/g, "").trim().split(" ");
  const family = net.isIP(remoteAddress);
  return family === 0 ? undefined : { remoteAddress, remotePort: Number(remotePort), remoteFamily: `IPv${family}` };
}

function begin(responseOrSocket) {
  if (seen.has(responseOrSocket)) return;
  seen.add(responseOrSocket);
  active += 1;
  responseOrSocket.once("close", () => {
    active -= 1;
    report();
  });
}

function linkUp() {
  if (link !== undefined) return;
  link = net.connect(socketPath).unref();
  link.on("error", () => {}); // the supervisor is gone: this process ends with its container
  link.on("data", () => {
    isDraining = true;
    report();
  });
  const { ServerResponse } = require("node:http");
  const { writeHead } = ServerResponse.prototype;
  ServerResponse.prototype.writeHead = function (...args) {
    if (isDraining && mayClose(this, args[0])) return Reflect.apply(writeHead, this, closing(this, args));
    return Reflect.apply(writeHead, this, args);
  };
}

/** Not in the middle of an upload: what is left of it unread would reset the connection, and the answer with it. */
function mayClose(response, status) {
  return !response.headersSent && status !== 101 && !isUploading(response.req);
}

/** `complete` is false as well while a request without a body is being read. */
function isUploading({ complete, headers }) {
  return !complete && (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0);
}

function closing(response, args) {
  response.setHeader("Connection", "close");
  return args.map((argument) => (typeof argument === "object" && argument !== null ? without(argument) : argument));
}

/** The headers of `writeHead`, `[name, value, …]` or an object, would overrule ours. */
function without(headers) {
  if (!Array.isArray(headers)) return Object.fromEntries(Object.entries(headers).filter(([name]) => !isHop(name)));
  if (Array.isArray(headers[0])) return headers.filter(([name]) => !isHop(name));
  return headers.filter((_, at) => !isHop(headers[at - (at % 2)]));
}

function isHop(name) {
  return /^(connection|keep-alive)$/i.test(String(name));
}

function report() {
  if (isDraining) link.write(`${active}\n`);
}
