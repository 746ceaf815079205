import { createHmac, timingSafeEqual } from "node:crypto";

/** What a signed URL allows: everything here is part of the signature. */
export interface SignedTerms {
  method: "PUT" | "GET";
  key: string;
  /** Unix seconds. */
  expires: number;
  /** Further terms of the one request, as they stand in the query. */
  terms: Record<string, string>;
}

/** The path and query that carry `terms` with their signature. */
export function signPath(secret: Uint8Array, { method, key, expires, terms }: SignedTerms): string {
  const query = new URLSearchParams({ ...terms, expires: String(expires) });
  query.sort();
  const signature = signatureOf(secret, { method, key, query });
  query.set("signature", signature.toString("hex"));
  return `/storage/${key}?${query}`;
}

/** The terms of a URL whose signature is right for `method`, or undefined. Expiry is the caller's to judge. */
export function verifyPath(secret: Uint8Array, method: "PUT" | "GET", url: URL): SignedTerms | undefined {
  const key = /\/storage\/(.+)$/.exec(url.pathname)?.[1];
  if (key === undefined) return undefined;
  const query = new URLSearchParams(url.searchParams);
  const given = Buffer.from(query.get("signature") ?? "", "hex");
  query.delete("signature");
  query.sort();
  const expected = signatureOf(secret, { method, key, query });
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  const { expires, ...terms } = Object.fromEntries(query);
  return { method, key, expires: Number(expires), terms };
}

/** JSON keeps the parts apart: no value can reach over into its neighbour. */
function signatureOf(
  secret: Uint8Array,
  { method, key, query }: { method: string; key: string; query: URLSearchParams },
): Buffer {
  return createHmac("sha256", secret)
    .update(JSON.stringify([method, key, [...query]]))
    .digest();
}
