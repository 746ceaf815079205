import { join } from "node:path";
import { deriveKey, deriveKeys, loadSecretsKeys } from "../config/secrets-key.ts";
import type { ServerConfig } from "../config/server.ts";
import { endClaims } from "../control/claims.ts";
import { type Database, openDatabase } from "../db/client.ts";
import type { DataFolder } from "../db/data-folder.ts";
import { migrate } from "../db/migrate.ts";
import { createSealer, type Sealer } from "../lib/sealer.ts";
import { createFilesystemStorage, type FilesystemStorage } from "../storage/filesystem.ts";
import { createS3Storage, type S3Storage } from "../storage/s3/s3.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Addresses } from "./addresses.ts";

export interface DataOptions {
  config: ServerConfig;
  dataFolder: DataFolder;
  addresses: Addresses;
  log: Logger;
  now: () => Date;
}

/** The migrated database, and the storage of artifacts: in the data folder or where the configuration says. */
export async function openData(
  { config, dataFolder, addresses, log, now }: DataOptions,
  stack: AsyncDisposableStack,
): Promise<{ database: Database; storage: FilesystemStorage | S3Storage; secrets: Sealer }> {
  const rootKeys = await loadSecretsKeys(config, dataFolder.path);
  const database = await openDatabase({ databaseUrl: config.databaseUrl, dataFolder, log });
  stack.defer(() => database.close());
  const applied = await migrate(database.db);
  if (applied.length > 0) log.info("migrated the database", { applied });
  if (database.kind === "pglite") await endClaims(database.db); // locked by us: whoever made them is dead
  const { objectStore } = config;
  const stopped = new AbortController();
  stack.defer(() => stopped.abort()); // what a silent store still owes an answer keeps no process
  const storage = objectStore
    ? createS3Storage({ ...objectStore, now, signal: stopped.signal })
    : createFilesystemStorage({
        folder: join(dataFolder.path, "storage"),
        secret: deriveKey(rootKeys[0], "storage urls"),
        publicUrl: addresses.public,
        internalUrl: addresses.internal,
        now,
        onError: (error) => log.error("the storage failed", { error }),
      });
  return { database, storage, secrets: createSealer(deriveKeys(rootKeys, "sealed values")) };
}
