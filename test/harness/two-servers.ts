import { migrate } from "../../src/db/migrate.ts";
import { openPostgres } from "../../src/db/postgres.ts";
import { createHarness, type HarnessOptions } from "./control-plane.ts";
import { createPostgresUrl } from "./postgres.ts";

/** Two control planes on one Postgres and one storage, each with connections of its own. */
export async function createTwoServers(options: Pick<HarnessOptions, "settings"> = {}) {
  const { url, ...created } = await createPostgresUrl();
  const open = async () => {
    const database = await openPostgres(url, { info: () => {}, warn: () => {} });
    await migrate(database.db);
    return { ...database, [Symbol.asyncDispose]: () => database.close() };
  };
  const one = await createHarness({ ...options, open });
  const two = await createHarness({ ...options, open });
  two.control.storage = one.storage;
  return {
    one,
    two,
    async [Symbol.asyncDispose]() {
      await two[Symbol.asyncDispose]();
      await one[Symbol.asyncDispose]();
      await created[Symbol.asyncDispose]();
    },
  };
}
