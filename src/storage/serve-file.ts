import { AetherError } from "../lib/errors.ts";
import type { ObjectFiles } from "./object-files.ts";
import type { StoredObject } from "./storage.ts";

/** Answers GET and HEAD of an object: whole or one range, so that a broken download goes on where it stopped. */
export async function serveFile(request: Request, objects: ObjectFiles, key: string): Promise<Response> {
  const object = await objects.head(key);
  if (object === undefined) throw new AetherError("not_found", "The artifact storage holds no such object.");
  const etag = etagOf(object);
  const headers = new Headers({ "accept-ranges": "bytes", "content-type": "application/octet-stream", etag });
  if (!matches(request.headers.get("if-match") ?? "*", etag)) return new Response(null, { status: 412, headers });
  if (matches(request.headers.get("if-none-match") ?? "", etag)) return new Response(null, { status: 304, headers });

  const ifRange = request.headers.get("if-range") ?? etag;
  const range = ifRange === etag ? parseRange(request.headers.get("range"), object.sizeBytes) : undefined;
  if (range === "unsatisfiable") {
    headers.set("content-range", `bytes */${object.sizeBytes}`);
    return new Response(null, { status: 416, headers });
  }
  const { start, end } = range ?? { start: 0, end: object.sizeBytes };
  if (range) headers.set("content-range", `bytes ${start}-${end - 1}/${object.sizeBytes}`);
  headers.set("content-length", String(end - start));
  const body = request.method === "HEAD" ? null : Bun.file(objects.pathOf(key)).slice(start, end);
  return new Response(body, { status: range ? 206 : 200, headers });
}

/** The digest, where the key names one: objects never change, so neither does it. */
function etagOf({ key, sizeBytes, modifiedAt }: StoredObject): string {
  const digest = /(?:^|\/)([0-9a-f]{64})(?:\/|$)/.exec(key)?.[1];
  return `"${digest ?? `${modifiedAt.getTime().toString(16)}-${sizeBytes.toString(16)}`}"`;
}

const matches = (header: string, etag: string): boolean =>
  header.split(",").some((value) => ["*", etag, `W/${etag}`].includes(value.trim()));

/** One range, `end` exclusive; undefined for what may be ignored: none, several, another unit. */
function parseRange(header: string | null, size: number) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  const [, from = "", to = ""] = match ?? [];
  if (match === null || (from === "" && to === "")) return undefined;
  const start = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === "" || to === "" ? size : Math.min(size, Number(to) + 1);
  return start < end ? { start, end } : ("unsatisfiable" as const);
}
