import type { IncomingMessage } from "node:http";

export type Headers = Record<string, string | string[]>;

/** They belong to one connection, not to the message (RFC 9110, 7.6.1). */
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** What the replica is sent: the client's headers, the host it asked for, and where it came from. */
export function requestHeaders(request: IncomingMessage): Headers {
  const headers = endToEnd(request.rawHeaders);
  delete headers.expect; // answered by our own server already
  // We close it ourselves. Told to close it, a replica that answers early would reset it while we still send the body,
  // and its answer would be lost.
  return { ...headers, ...forwarded(request), ...framing(request), connection: "keep-alive" };
}

/** What the client is sent of an answer. */
export function responseHeaders(answer: IncomingMessage): Headers {
  return endToEnd(answer.rawHeaders);
}

/** For an upgrade: the same, but the headers that ask for it stay. */
export function upgradeHeaders(request: IncomingMessage): Headers {
  return {
    ...endToEnd(request.rawHeaders),
    ...forwarded(request),
    connection: "Upgrade",
    upgrade: request.headers.upgrade ?? "",
  };
}

/** Repeated headers (`set-cookie`) stay apart, and names keep their case. */
function endToEnd(raw: string[]): Headers {
  const listed = new Set<string>();
  const pairs = pairsOf(raw);
  for (const [name, value] of pairs) {
    if (name.toLowerCase() !== "connection") continue;
    for (const option of value.split(",")) listed.add(option.trim().toLowerCase());
  }
  const headers = new Map<string, { name: string; values: string[] }>();
  for (const [name, value] of pairs) {
    const key = name.toLowerCase();
    if (hopByHop.has(key) || listed.has(key)) continue;
    const header = headers.get(key) ?? { name: key, values: [] };
    header.values.push(value);
    headers.set(key, header);
  }
  return Object.fromEntries(
    [...headers.values()].map(({ name, values: [only = "", ...more] }) => [name, more.length ? [only, ...more] : only]),
  );
}

/** A body of unknown length has to be framed anew; without this a GET with a body would be sent unframed. */
function framing(request: IncomingMessage): Headers {
  return request.headers["transfer-encoding"] === undefined ? {} : { "transfer-encoding": "chunked" };
}

/** A proxy on this machine in front of us is believed; from anywhere else the values are ours alone. */
function forwarded(request: IncomingMessage): Headers {
  const from = request.socket.remoteAddress ?? "";
  const trusted = /^(127\.|::1$|::ffff:127\.)/.test(from);
  const before = (name: string) => (trusted ? request.headers[name]?.toString() : undefined);
  const chain = before("x-forwarded-for");
  return {
    "x-forwarded-for": chain ? `${chain}, ${from}` : from,
    "x-forwarded-host": before("x-forwarded-host") ?? request.headers.host ?? "",
    "x-forwarded-proto": before("x-forwarded-proto") ?? "http",
  };
}

function pairsOf(raw: string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [raw[2 * index] ?? "", raw[2 * index + 1] ?? ""]);
}
