import { isDigest, shortDigest } from "../core/digest.ts";
import { AetherError } from "../lib/errors.ts";
import type { Client } from "./client.ts";
import { badValue } from "./usage.ts";

type Finder = Pick<Client, "artifactsLike">;

/** Whether `text` may be the beginning of a digest: what `aether artifacts list` shows, and no less than git takes. */
export const isDigestPrefix = (text: string): boolean => /^[0-9a-f]{6,63}$/.test(text);

/** The digest that a person gave whole, or the beginning of; `app` narrows where it is looked for. */
export async function resolveDigest(client: Finder, given: string, app: string | undefined): Promise<string> {
  const bare = given.replace(/^sha256:/, "").replace(/…$/, "");
  if (isDigest(bare)) return bare;
  if (!isDigestPrefix(bare)) {
    const why = "it takes a digest in lower-case hex, or 6 or more of its first characters";
    throw badValue({ of: "The digest", given, why, hint: "aether artifacts list shows them." });
  }
  const digest = await findDigest(client, bare, app);
  if (digest !== undefined) return digest;
  throw new AetherError("not_found", `There is no stored artifact whose digest begins with ${bare}.`, {
    hint: "aether artifacts list shows them.",
  });
}

/** The one digest that begins so; undefined when none does. */
export async function findDigest(client: Finder, prefix: string, app?: string): Promise<string | undefined> {
  const found = await client.artifactsLike(prefix, app);
  const digests = [...new Set(found.map(({ digest }) => digest))].filter((digest) => digest.startsWith(prefix)).sort();
  if (digests.length <= 1) return digests[0];
  const shown = digests.slice(0, 5).map((digest) => `${differing(digest, digests)} of ${ownerOf(digest)}`);
  const more = digests.length > shown.length ? " and others" : "";
  throw new AetherError("usage", `${digests.length} digests begin with ${prefix}: ${shown.join(", ")}${more}.`, {
    hint: "Give more characters of the one that is meant.",
    details: { candidates: digests },
  });

  function ownerOf(digest: string): string {
    return [...new Set(found.filter((one) => one.digest === digest).map((one) => one.app))].sort().join(" and ");
  }
}

/** As much of a digest as tells it from the others, and no less than is shown elsewhere. */
function differing(digest: string, others: string[]): string {
  const enough = [...digest].findIndex((_, at) =>
    others.every((other) => other === digest || !other.startsWith(digest.slice(0, at + 1))),
  );
  return digest.slice(0, Math.max(shortDigest(digest).length, enough + 1));
}
