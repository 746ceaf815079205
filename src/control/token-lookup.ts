import { and, eq, isNull, lte, or } from "drizzle-orm";
import { hashToken } from "../config/tokens.ts";
import { isAccessToken } from "../core/access-token.ts";
import { tokens } from "../db/schema.ts";
import type { Control } from "./control.ts";
import { findToken, type Token, tokenProblem } from "./tokens.ts";

/** Finds tokens by what a request sent. A revoked one is refused within five seconds by every server. */
export interface TokenLookup {
  find(secret: string): Promise<Token | undefined>;
  /** Called after a change, so that this server knows it at once. */
  forget(): void;
}

const keptMs = 2_500; // open streams ask every two seconds: together less than five
const usedEveryMs = 60_000;
const capacity = 10_000;

/** Remembers what it found for a moment, so that the database is not asked for each request. */
export function createTokenLookup(control: Control): TokenLookup {
  const kept = new Map<string, { at: number; token: Promise<Token | undefined> }>();

  async function read(hash: string): Promise<Token | undefined> {
    const token = await findToken(control.db, hash);
    if (token) noteUse(control, token);
    return token;
  }

  return {
    async find(secret) {
      if (!isAccessToken(secret)) return undefined;
      const hash = hashToken(secret);
      const at = control.now().getTime();
      const known = kept.get(hash);
      const age = known ? at - known.at : -1;
      if (known && age >= 0 && age < keptMs) return known.token; // a clock that was set back keeps nothing alive
      kept.delete(hash);
      const [oldest] = kept.keys();
      if (oldest !== undefined && kept.size >= capacity) kept.delete(oldest);
      const token = read(hash);
      kept.set(hash, { at, token });
      return token.catch((error: unknown) => {
        kept.delete(hash); // a database that was away is asked again
        throw error;
      });
    },
    forget: () => kept.clear(),
  };
}

/** Written at most once a minute, by whichever server; no request waits for it. */
function noteUse({ db, now, log }: Control, token: Token): void {
  const at = now();
  const before = new Date(at.getTime() - usedEveryMs);
  if (tokenProblem(token, at) !== undefined || (token.lastUsedAt !== null && token.lastUsedAt > before)) return;
  db.update(tokens)
    .set({ lastUsedAt: at })
    .where(and(eq(tokens.id, token.id), or(isNull(tokens.lastUsedAt), lte(tokens.lastUsedAt, before))))
    .then(
      () => {},
      (error: unknown) => log.warn("the last use of a token could not be written", { token: token.id, error }),
    );
}
