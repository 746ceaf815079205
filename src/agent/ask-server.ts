import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { Digest } from "../core/digest.ts";
import { AgentFailure } from "./failure.ts";
import { isSigned } from "./verify-signature.ts";

export interface ServerOptions {
  downloadUrl: string;
  digest: Digest;
  signal: AbortSignal;
  /** Sent to `downloadUrl` and never to the storage it redirects to; a function is asked before each request. */
  authorization?: string | (() => Promise<string>);
  /** Present: one of them must have signed the digest. */
  publicKeys?: string[];
  /** A transfer without a byte for so long is broken off and tried again. */
  stallMs?: number;
}

/** What the server says of the artifact: no byte is taken before it is known to be permitted and signed. */
export async function askServer(options: ServerOptions, headers: Record<string, string>): Promise<IncomingMessage> {
  const answer = await get(new URL(options.downloadUrl), options, { ...(await credentials(options)), ...headers });
  if (answer.statusCode === 403 || answer.statusCode === 404) throw await refusalOf(answer);
  const isThere = isRedirect(answer) || answer.statusCode === 200 || answer.statusCode === 206;
  if (options.publicKeys && isThere) assertSigned(options, options.publicKeys, answer);
  return answer;
}

async function credentials({ authorization }: ServerOptions): Promise<Record<string, string>> {
  if (authorization === undefined) return {};
  return { authorization: typeof authorization === "string" ? authorization : await authorization() };
}

/** The server's verdict in its own words, where they are there. */
async function refusalOf(answer: IncomingMessage): Promise<AgentFailure> {
  const { code, message, hint } = await readEnvelope(answer);
  const isUnsigned = code === "signature_required" || code === "signature_invalid";
  if (isUnsigned) return new AgentFailure("signature_invalid", [message, hint].filter(Boolean).join(" "));
  const said = message === undefined ? "" : ` (${message})`;
  const why = `the server answered ${answer.statusCode}${said}`;
  return new AgentFailure("artifact_not_found", `The artifact cannot be downloaded: ${why}.`, {
    isDenied: answer.statusCode === 403,
  });
}

function assertSigned({ digest }: { digest: Digest }, publicKeys: string[], answer: IncomingMessage): void {
  const signature = answer.headers["x-aether-signature"];
  if (typeof signature === "string" && isSigned(digest, signature, publicKeys)) return;
  answer.destroy();
  const what = signature === undefined ? "came without a signature" : "was not signed by a public key of the app";
  throw new AgentFailure("signature_invalid", `The artifact ${digest} ${what}, and this machine demands one.`);
}

/** One request, answered by its headers; redirects are not followed. */
export function get(
  url: URL,
  { signal, stallMs = 15_000 }: Pick<ServerOptions, "signal" | "stallMs">,
  headers: Record<string, string>,
): Promise<IncomingMessage> {
  const send = url.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((answered, failed) => {
    const request = send(url, { headers: { "accept-encoding": "identity", ...headers }, signal, agent: false });
    request.setTimeout(stallMs, () =>
      request.destroy(new Error(`${url.origin} sent nothing for ${stallMs / 1_000} s`)),
    );
    request.once("response", answered).once("error", failed).end();
  });
}

/** Whether an answer names another address. */
export function isRedirect(response: IncomingMessage): boolean {
  return [301, 302, 303, 307, 308].includes(response.statusCode ?? 0);
}

/** The error of the API, as far as the body is one; anything may answer at an address. */
async function readEnvelope(answer: IncomingMessage): Promise<{ code?: string; message?: string; hint?: string }> {
  let text = "";
  for await (const chunk of answer.setEncoding("utf8") as AsyncIterable<string>) {
    text += chunk;
    if (text.length > 65_536) return {};
  }
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null ? body : {};
  } catch {
    return {};
  }
}
