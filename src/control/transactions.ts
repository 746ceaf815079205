import type { Tx } from "../db/client.ts";
import { databaseCode, isTransient, wasUndone } from "../db/failures.ts";
import { retry } from "../lib/retry.ts";
import type { Control } from "./control.ts";

export interface TransactionOptions {
  /** The work finds what an earlier, perhaps committed, attempt of it did: by a unique key, or by the row's state. */
  repeatable?: boolean;
}

/**
 * A transaction that is tried again for some seconds: always when the database says that it undid it (40001, 40P01), and
 * when the connection was cut, perhaps between COMMIT and its reply, only where the work may be repeated.
 */
export function transact<T>(
  { db, log }: Pick<Control, "db" | "log">,
  work: (tx: Tx) => Promise<T>,
  { repeatable = false }: TransactionOptions = {},
): Promise<T> {
  return retry(() => db.transaction(work), {
    attempts: 4,
    patienceMs: 5_000,
    firstDelayMs: 25,
    shouldRetry: (error) => wasUndone(error) || (repeatable && wasInterrupted(error)),
    onRetry: (error, attempt) => log.warn("a transaction is tried again", { attempt, code: databaseCode(error) }),
  });
}

/** A query that ran into its own time limit would do so again, half a minute later. */
const wasInterrupted = (error: unknown): boolean => isTransient(error) && databaseCode(error) !== "57014";
