import type { ObjectQuery } from "./cluster.ts";
import { type KindName, kinds, type ObjectOf } from "./kinds.ts";
import { inWords, objectPath } from "./object-path.ts";
import type { Transport } from "./transport.ts";

const pageSize = 500;

interface ListBody<T> {
  items: T[] | null;
  metadata: { resourceVersion: string; continue?: string };
}

export interface ListOptions {
  signal?: AbortSignal | undefined;
  /** All at once: what to do when a page's `continue` has expired. */
  isWhole?: boolean;
  /** How often each page is asked for. */
  attempts?: number;
}

/** Pages of objects; the resourceVersion is that of the whole list on each. */
export async function* listPages<K extends KindName>(
  transport: Transport,
  query: ObjectQuery<K>,
  { signal, isWhole = false, attempts }: ListOptions = {},
): AsyncGenerator<{ items: ObjectOf<K>[]; resourceVersion: string }> {
  const { kind, labelSelector, fieldSelector } = query;
  const { apiVersion } = kinds[kind];
  let next: string | undefined;
  do {
    const body: ListBody<ObjectOf<K>> = await transport.call({
      method: "GET",
      path: objectPath(query),
      query: { labelSelector, fieldSelector, limit: isWhole ? undefined : pageSize, continue: next },
      doing: inWords("list", query),
      isRepeatable: true,
      attempts,
      signal,
    });
    // Lists leave out what all of their items share.
    const items = (body.items ?? []).map((item) => Object.assign(item, { apiVersion, kind }));
    yield { items, resourceVersion: body.metadata.resourceVersion };
    next = body.metadata.continue || undefined;
  } while (next !== undefined);
}
