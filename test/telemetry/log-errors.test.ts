import { expect, test } from "bun:test";
import { DrizzleQueryError } from "drizzle-orm/errors";
import { AetherError } from "../../src/lib/errors.ts";
import { createLogger } from "../../src/telemetry/log.ts";

function logged(format: "json" | "text", error: Error): string {
  const lines: string[] = [];
  createLogger({ level: "info", format, write: (line) => void lines.push(line) }).error("it failed", { error });
  return lines.join("");
}

test.each(["json", "text"] as const)("an error's whole story is in the log, as %s", (format) => {
  const cause = new Error("the disk said no");
  const line = logged(format, new AetherError("service_unavailable", "Not now.", { cause }));
  expect(line).toContain("Not now.");
  expect(line).toContain("log-errors.test.ts");
  expect(line).toContain("the disk said no");
});

test.each(["json", "text"] as const)("the parameters of a failed query are not, as %s", (format) => {
  const failed = new DrizzleQueryError(
    "insert into tokens values ($1, $2)",
    ["a-secret", "two\nlines"],
    new Error("23505"),
  );
  const line = logged(format, new AetherError("internal", "A bug.", { cause: failed }));
  expect(line).toContain("insert into tokens");
  expect(line).toContain("23505");
  for (const secret of ["a-secret", "two", "lines"]) expect(line).not.toContain(secret);
});
