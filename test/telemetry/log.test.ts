import { expect, test } from "bun:test";
import { createLogger } from "../../src/telemetry/log.ts";

function capture(format: "json" | "text", level: "debug" | "warn" = "debug") {
  const lines: string[] = [];
  const now = () => new Date("2026-01-01T12:00:00.123Z");
  return { lines, log: createLogger({ level, format, write: (line) => void lines.push(line), now }) };
}

test("an event is one JSON line, with its fields", () => {
  const { log, lines } = capture("json");
  log.with({ app: "shop" }).info("deployed", { version: 2 });
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { time: "2026-01-01T12:00:00.123Z", level: "info", message: "deployed", app: "shop", version: 2 },
  ]);
});

test("a field cannot replace the message, the level or the time", () => {
  const { log, lines } = capture("json");
  log.warn("a release failed", { message: "boom", level: "debug", time: "never" });
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    message: "a release failed",
    level: "warn",
    time: "2026-01-01T12:00:00.123Z",
  });
});

test("errors come with their causes, and secrets are taken out", () => {
  const { log, lines } = capture("json");
  log.error("failed", { error: new Error("outer", { cause: new Error("inner") }), url: "http://x/y?signature=cafe" });
  expect(lines[0]).toContain("inner");
  expect(lines[0]).not.toContain("cafe");
});

test("text is for people, and what is below the level is left out", () => {
  const { log, lines } = capture("text", "warn");
  log.info("unseen");
  log.warn("seen", { app: "shop", why: "two words" });
  expect(lines).toEqual(['12:00:00.123 warn  seen app=shop why="two words"\n']);
});
