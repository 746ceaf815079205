import type { IncomingMessage, ServerResponse } from "node:http";
import type { Headers } from "./gateway-headers.ts";

/** What the gateway says when no application can. */
export interface Page {
  status: number;
  code: string;
  title: string;
  message: string;
  hint: string;
  links?: { href: string; text: string }[];
  /** Worth asking again in so many seconds. */
  retrySeconds?: number;
}

export const unknownApp = (host: string): Page => ({
  status: 404,
  code: "not_found",
  title: "No such application",
  message: `Nothing is deployed as ${host}.`,
  hint: "`aether list` shows what is; `aether deploy` in a project's folder deploys it.",
});

export const nothingServes = (app: string): Page => ({
  status: 503,
  code: "service_unavailable",
  title: `${app} does not answer yet`,
  message: `No release of ${app} answers: it is still starting, it keeps crashing, or its last deployment failed.`,
  hint: `\`aether status ${app}\` says which, \`aether logs ${app}\` shows what it printed.`,
  retrySeconds: 2,
});

export const scaledToNone = (app: string): Page => ({
  status: 503,
  code: "service_unavailable",
  title: `${app} is stopped`,
  message: `${app} is scaled to no replica.`,
  hint: `\`aether scale ${app} 1\` starts it again.`,
});

export const replicaGone = (app: string): Page => ({
  status: 502,
  code: "bad_gateway",
  title: `${app} broke off`,
  message: `${app} took the request but ended or closed the connection before it answered.`,
  hint: `\`aether logs ${app}\` shows what it printed last.`,
});

export const refused = (app: string): Page => ({
  status: 502,
  code: "bad_gateway",
  title: `${app} refuses connections`,
  message: `${app} runs but no longer accepts connections on its port.`,
  hint: `\`aether logs ${app}\` shows what it printed; \`aether deploy\` starts it anew.`,
});

export const badRequest = (why: string): Page => ({
  status: 400,
  code: "bad_request",
  title: "Not a request this gateway forwards",
  message: why,
  hint: "Send one Host header, a path that starts with /, and a body framed in one way.",
});

export const appList = (links: { href: string; text: string }[]): Page => ({
  status: 200,
  code: "ok",
  title: "Applications",
  message: links.length === 0 ? "Nothing is deployed yet." : "What runs here:",
  hint: "`aether deploy` in a project's folder deploys it.",
  links,
});

/** For who has no token, where tokens are demanded. */
export const noList: Page = {
  status: 404,
  code: "not_found",
  title: "Name an application",
  message: "Applications answer at their own names, <app>.localhost, on this port.",
  hint: "`aether list` shows which there are.",
};

/** The page as HTML for browsers, as the JSON envelope for everyone else. */
export function renderPage(page: Page, request: IncomingMessage): { status: number; headers: Headers; body: string } {
  const html = (request.headers.accept ?? "").includes("text/html");
  return {
    status: page.status,
    headers: {
      "content-type": html ? "text/html; charset=utf-8" : "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
      ...(page.retrySeconds ? { "retry-after": String(page.retrySeconds) } : {}),
    },
    body: html ? toHtml(page) : `${JSON.stringify(toJson(page))}\n`,
  };
}

/** Answers with `page`, unless an answer has begun. */
export function sendPage(page: Page, request: IncomingMessage, response: ServerResponse): void {
  discardBody(request);
  if (response.headersSent || response.destroyed) return void response.destroy();
  const { status, headers, body } = renderPage(page, request);
  response.writeHead(status, { ...headers, "content-length": String(Buffer.byteLength(body)) });
  response.end(request.method === "HEAD" ? undefined : body);
}

/** A body that no one reads any more must not block the next request on its connection. */
export function discardBody(request: IncomingMessage): void {
  request.unpipe().resume();
}

function toJson({ code, message, hint, links }: Page): Record<string, unknown> {
  return links ? { apps: links.map(({ href, text }) => ({ name: text, url: href })) } : { code, message, hint };
}

function toHtml({ title, message, hint, links = [], retrySeconds }: Page): string {
  const refresh = retrySeconds ? `<meta http-equiv="refresh" content="${retrySeconds}">` : "";
  const list = links.map(({ href, text }) => `<li><a href="${escapeHtml(href)}">${escapeHtml(text)}</a></li>`).join("");
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">${refresh}
<meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:38rem;margin:15vh auto;padding:0 1rem;color-scheme:light dark}
code{font:0.9em ui-monospace,monospace}p:last-child{opacity:.7}</style></head>
<body><h1>${escapeHtml(title)}</h1><p>${escapeHtml(message)}</p>${list && `<ul>${list}</ul>`}<p>${withCode(hint)}</p></body></html>
`;
}

const withCode = (text: string): string => escapeHtml(text).replace(/`([^`]+)`/g, "<code>$1</code>");

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
