// A server's use of the embedded database in a process of its own, to be killed: opens the folder, then writes
// transactions of two rows and prints the id of each as soon as it is confirmed.
import { sql } from "drizzle-orm";
import { openDatabase } from "../../src/db/client.ts";
import { openDataFolder } from "../../src/db/data-folder.ts";
import { migrate } from "../../src/db/migrate.ts";
import { auditEvents } from "../../src/db/schema.ts";

const [path = "", round = "0", mode = "write"] = process.argv.slice(2);
const dataFolder = await openDataFolder(path, { command: "aether serve", now: () => new Date() });
console.log("locked");
const database = await openDatabase({ dataFolder, log: { info: () => {}, warn: console.error } });
await migrate(database.db);
console.log("open");
for (let n = 0; mode === "write"; n += 1) {
  const row = { actor: "test", action: "write", subjectType: "row", subjectId: `${round}-${n}` };
  await database.db.transaction(async (tx) => {
    await tx.insert(auditEvents).values({ ...row, before: "first", detail: { padding: "x".repeat(n % 3000) } });
    await tx.insert(auditEvents).values({ ...row, before: "second" });
    if (n % 50 === 49) await tx.execute(sql`update audit_events set after = ${row.subjectId}`);
  });
  console.log(row.subjectId);
}
