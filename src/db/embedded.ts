import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { PGlite } from "@electric-sql/pglite";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/pglite";
import { AetherError, messageOf } from "../lib/errors.ts";
import { backUp, isBackupDue } from "./backup.ts";
import type { Database, DatabaseLog } from "./client.ts";
import type { DataFolder } from "./data-folder.ts";
import { damaged, ensureDatabaseFolder } from "./embedded-folder.ts";
import { asDatabaseError } from "./failures.ts";
import { createPGlite } from "./pglite.ts";
import * as schema from "./schema.ts";

/** The database inside this process, in `pglite/` of the data folder. Survives a killed process, not a power cut. */
export async function openEmbedded(folder: DataFolder, log: DatabaseLog): Promise<Database> {
  const { path, created } = await ensureDatabaseFolder(folder);
  const client = await openFolder(path, folder);
  if (created) log.info("created the embedded database", { path });
  const db = drizzle(client, { schema });
  return {
    kind: "pglite",
    db,
    async check() {
      await db.execute(sql`select 1`).catch((error) => {
        throw asDatabaseError(error);
      });
    },
    async maintain(now) {
      // Nothing runs beside the embedded Postgres: without these its log grows until it is closed, and dead rows stay.
      await db.execute(sql`checkpoint`);
      if (!(await isBackupDue(folder.path, now))) return;
      await db.execute(sql`vacuum analyze`);
      const { file } = await backUp(folder.path, { hold: (copy) => client.runExclusive(copy), now });
      log.info("backed up the embedded database", { file });
    },
    close: () => client.close(),
  };
}

async function openFolder(path: string, folder: DataFolder): Promise<PGlite> {
  try {
    // Empty when a process was killed between making and writing it, and Postgres then refuses to start. Our own lock of
    // the folder says that nobody else is in it.
    await rm(join(path, "postmaster.pid"), { force: true });
    return await createPGlite({ dataDir: path });
  } catch (error) {
    if (error instanceof AetherError) throw error;
    throw await damaged(`Postgres stopped while it read it (${messageOf(error)}).`, folder, error);
  }
}
