import { digestOf } from "./control-plane.ts";

export interface ReleaseRequest {
  app: string;
  bytes: Uint8Array;
  /** The same at every attempt. */
  key: string;
  /** Sends the bytes in so many parts. */
  parts?: number;
}

/** What a client does to release an application, from the beginning; rejects when the server goes away. Made to be repeated. */
export async function releaseOnce(api: string, { app, bytes, key, parts }: ReleaseRequest): Promise<{ id: string }> {
  const request = { app_name: app, digest: digestOf(bytes), size_bytes: bytes.length };
  if (parts === undefined) await uploadWhole(api, request, bytes);
  else await uploadParts(api, request, { bytes, count: parts });
  return post<{ id: string }>(api, "/deployments", {
    ...request,
    config: { start: "node server.js" },
    idempotency_key: key,
  });
}

type Signed = { url: string; headers: Record<string, string> };
type Presigned = { method: "PUT" | "NONE"; upload_url: string; headers: Record<string, string> };
type Request = { app_name: string; digest: string; size_bytes: number };

async function uploadWhole(api: string, request: Request, bytes: Uint8Array): Promise<void> {
  const presigned = await post<Presigned>(api, "/artifacts/presign", request);
  if (presigned.method === "PUT") await send(presigned.upload_url, presigned.headers, bytes);
  await post(api, "/artifacts/complete", request);
}

async function uploadParts(api: string, request: Request, { bytes, count }: { bytes: Uint8Array; count: number }) {
  const { method } = await post<Presigned>(api, "/artifacts/presign", request);
  if (method === "NONE") return;
  const started = await fetchJson(api, "/artifacts/multipart/init", request);
  if (started.status === 409) return void (await post(api, "/artifacts/complete", request)); // sent by an earlier attempt
  const { upload_id } = assertOk<{ upload_id: string }>("init", started);
  const size = Math.ceil(bytes.length / count);
  const parts: { part_number: number; etag: string }[] = [];
  for (let part_number = 1; part_number <= count; part_number += 1) {
    const piece = bytes.slice((part_number - 1) * size, part_number * size);
    const part = { ...request, upload_id, part_number, size_bytes: piece.length };
    const { url, headers } = await post<Signed>(api, "/artifacts/multipart/presign-part", part);
    parts.push({ part_number, etag: await send(url, headers, piece) });
  }
  await post(api, "/artifacts/multipart/complete", { ...request, upload_id, parts });
}

/** Sends bytes to a signed URL and answers their etag; 412 says that they are there. */
async function send(url: string, headers: Record<string, string>, bytes: Uint8Array): Promise<string> {
  const response = await fetch(url, { method: "PUT", headers, body: new Blob([bytes.slice()]) });
  if (!response.ok && response.status !== 412) throw new Error(`PUT answered ${response.status}`);
  return response.headers.get("etag") ?? "";
}

async function post<T>(api: string, path: string, body: unknown): Promise<T> {
  return assertOk<T>(path, await fetchJson(api, path, body));
}

async function fetchJson(api: string, path: string, body: unknown): Promise<{ status: number; text: string }> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${api}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: response.status, text: await response.text() };
}

function assertOk<T>(path: string, { status, text }: { status: number; text: string }): T {
  if (status >= 200 && status < 300) return JSON.parse(text);
  throw new Error(`POST ${path} answered ${status}: ${text}`);
}
