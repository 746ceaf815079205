import { expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { toFailure } from "../../src/control/failures.ts";
import { AetherError, wireCodes } from "../../src/lib/errors.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { withDatabases } from "../harness/database.ts";

const secret = "sealed-4711";

/** What the server's log would say of a failure. */
function logged(error: AetherError): string {
  const lines: string[] = [];
  const log = createLogger({ level: "error", format: "text", write: (line) => void lines.push(line) });
  log.error("request failed", { error });
  return lines.join("");
}

withDatabases("the parameters of a query that failed", (open) => {
  test.each([
    ["a mistake", "22012", "internal"], // division by zero
    ["a passing trouble", "40001", "service_unavailable"],
  ])("are in no log, when it is %s", async (_what, sqlState, code) => {
    await using database = await open();
    await database.db.execute(
      sql.raw(`create function fail(t text) returns text language plpgsql as
        $$ begin raise exception 'it failed' using errcode = '${sqlState}'; end $$`),
    );
    const thrown = await database.db.execute(sql`select fail(${secret})`).catch((error: unknown) => error);
    expect(String(thrown)).toContain(secret);
    const wrapped = new AetherError("service_unavailable", "Not now.", {
      cause: new Error("below", { cause: thrown }),
    });
    for (const failure of [toFailure(thrown), toFailure(wrapped)]) {
      expect(logged(failure)).not.toContain(secret);
      expect(logged(failure)).toContain("select fail($1)");
      expect(logged(failure)).toContain("it failed");
    }
    expect(toFailure(thrown).code).toBe(code as AetherError["code"]);
    expect(toFailure(wrapped)).toMatchObject({ code: "service_unavailable", message: "Not now." });
  });
});

test("the server's disk trouble is a code of the wire, and its path is for the log alone", () => {
  const full = Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
  const below = new AetherError("disk_failed", "Cannot write /srv/data: no space is left.", { cause: full });
  for (const failure of [toFailure(full), toFailure(below)]) {
    expect(wireCodes as string[]).toContain(failure.code);
    expect(failure).toMatchObject({ code: "service_unavailable", status: 503 });
    expect(failure.message).toContain("no space");
    expect(JSON.stringify(failure)).not.toContain("/srv/data");
  }
  expect(logged(toFailure(below))).toContain("/srv/data");
});
