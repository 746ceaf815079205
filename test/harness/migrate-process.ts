// One of several servers that start at once: waits for a line, migrates, prints what it applied.

import { migrate } from "../../src/db/migrate.ts";
import { openPostgres } from "../../src/db/postgres.ts";

const database = await openPostgres(process.argv[2] ?? "", { info: () => {}, warn: console.error });
console.log("ready");
for await (const _ of console) break;
console.log(JSON.stringify(await migrate(database.db)));
await database.close();
