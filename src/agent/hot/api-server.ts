import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { join } from "node:path";
import { apiFiles } from "../../core/pod-hot.ts";

/** How the API server is reached: its address, and a folder with the token and the CA, which the kubelet renews. */
export interface ApiServer {
  url: string;
  folder: string;
}

/** What is read of an object: nothing but its metadata is asked for. */
export interface Metadata {
  resourceVersion: string;
  annotations?: Record<string, string> | undefined;
}

export interface WatchEvent {
  type: string;
  metadata: Metadata;
}

/** The API server's own word that this cannot go on: 410 is that a watch must begin anew. */
export class ApiRefusal extends Error {
  override readonly name = "ApiRefusal";
  readonly status: number;

  constructor(status: number, message: string) {
    super(`the API server answered ${status}${message === "" ? "" : ` (${message})`}`);
    this.status = status;
  }
}

const onlyMetadata = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
const answerWithinMs = 10_000;
const longestLine = 2 * 1024 * 1024;

/** The metadata of one object. */
export async function readMetadata(api: ApiServer, path: string, signal: AbortSignal): Promise<Metadata> {
  const answer = await ask(api, path, signal);
  answer.setTimeout(answerWithinMs, () => answer.destroy(new Error("the API server stopped in the middle")));
  let text = "";
  for await (const chunk of answer.setEncoding("utf8") as AsyncIterable<string>) text += chunk;
  return (JSON.parse(text) as { metadata: Metadata }).metadata;
}

/** Events of one watch, until the API server ends it or is silent for `silenceMs`. */
export async function* watchMetadata(
  api: ApiServer,
  path: string,
  { silenceMs, signal }: { silenceMs: number; signal: AbortSignal },
): AsyncGenerator<WatchEvent> {
  const answer = await ask(api, path, signal);
  answer.setTimeout(silenceMs, () => answer.destroy(new Error(`the watch was silent for ${silenceMs / 1_000} s`)));
  let rest = "";
  for await (const chunk of answer.setEncoding("utf8") as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > longestLine) throw new Error("the watch sent a line without an end");
    for (const line of lines) if (line !== "") yield toEvent(line);
  }
}

function toEvent(line: string): WatchEvent {
  const { type, object } = JSON.parse(line) as { type: string; object: { metadata: Metadata } & StatusObject };
  if (type === "ERROR") throw new ApiRefusal(object.code ?? 500, object.message ?? "");
  return { type, metadata: object.metadata };
}

interface StatusObject {
  code?: number;
  message?: string;
}

/** The certificate is verified by the cluster's CA and by nothing else. */
async function ask({ url, folder }: ApiServer, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  const [token, ca] = await Promise.all([
    readFile(join(folder, apiFiles.token), "utf8"),
    readFile(join(folder, apiFiles.ca)),
  ]);
  const headers = { authorization: `Bearer ${token.trim()}`, accept: onlyMetadata, "user-agent": "aether-fetcher" };
  const answer = await new Promise<IncomingMessage>((answered, failed) => {
    const asked = request(new URL(path, url), { ca, headers, signal, agent: false });
    asked.setTimeout(answerWithinMs, () => asked.destroy(new Error("the API server did not answer")));
    asked.once("response", (response) => {
      asked.setTimeout(0);
      answered(response);
    });
    asked.once("error", failed).end();
  });
  if (answer.statusCode === 200) return answer;
  throw new ApiRefusal(answer.statusCode ?? 0, await messageIn(answer));
}

async function messageIn(answer: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of answer.setEncoding("utf8") as AsyncIterable<string>)
    if (text.length < 65_536) text += chunk;
  try {
    return (JSON.parse(text) as StatusObject).message ?? "";
  } catch {
    return ""; // a proxy's page
  }
}
