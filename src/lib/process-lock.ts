import { Database } from "bun:sqlite";
import { systemCode } from "./errors.ts";

export interface ProcessLock {
  /** Idempotent. */
  release(): void;
}

/** Locks are kept here so that a forgotten reference cannot end in the garbage collector closing the file. */
const held = new Set<Database>();

/**
 * Locks `file` for this process, or answers undefined when another holds it. The lock is the operating system's: it ends
 * with the process, however that dies. SQLite holds it because Bun offers no `flock`.
 */
export function tryProcessLock(file: string): ProcessLock | undefined {
  const database = new Database(file, { create: true });
  try {
    database.run("PRAGMA busy_timeout = 0");
    database.run("PRAGMA journal_mode = MEMORY"); // nothing is written, so a full disk can be locked too
    database.run("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (systemCode(error)?.startsWith("SQLITE_BUSY")) return undefined;
    throw error;
  }
  held.add(database);
  return {
    release() {
      if (held.delete(database)) database.close();
    },
  };
}
