import type { TokenView } from "../core/wire.ts";

/** A token in a sentence's words: `The token "ci" (deployer of shop, expires …)`. */
export function describeToken({ name, role, apps, expires_at }: TokenView): string {
  const where = apps === null ? "all apps" : apps.join(", ");
  return `The token "${name}" (${role} of ${where}${expires_at === null ? "" : `, expires ${expires_at}`})`;
}
