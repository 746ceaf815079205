import { expect, test } from "bun:test";
import { defineCommand } from "../../src/cli/command.ts";
import { parseArguments, wantsHelp, wantsJson } from "../../src/cli/parse-arguments.ts";
import { AetherError } from "../../src/lib/errors.ts";

const command = defineCommand({
  meta: { name: "deploy", description: "Deploy" },
  args: {
    dir: { type: "positional", default: ".", description: "" },
    app: { type: "string", description: "" },
    follow: { type: "boolean", alias: "f", description: "" },
    cache: { type: "boolean", default: true, description: "" },
    format: { type: "enum", options: ["text", "json"], description: "" },
  },
  examples: [],
  run: async () => {},
});

test("arguments of every kind are read", () => {
  const args = parseArguments(command, ["here", "--app", "shop", "-f", "--no-cache", "--format=json"]);
  expect(args).toMatchObject({ dir: "here", app: "shop", follow: true, cache: false, format: "json" });
});

test("defaults hold when nothing is said", () => {
  expect(parseArguments(command, [])).toMatchObject({ dir: ".", cache: true });
});

test.each([
  [["--ap", "shop"], "--ap", '"--app"'],
  [["--follw"], "--follw", '"--follow"'],
  [["--cach"], "--cach", undefined],
  [["--no-cahce"], "--no-cahce", '"--no-cache"'],
  [["--no-app"], "--no-app", undefined],
  [["-x"], "-x", undefined],
  [["--zzzzzz"], "--zzzzzz", undefined],
])("%p is refused, with the nearest flag when one is near", (argv, flag, nearest) => {
  const error = thrownBy(() => parseArguments(command, argv));
  expect(error).toMatchObject({ code: "usage", exitCode: 2, message: `Unknown flag "${flag}".` });
  if (nearest !== undefined) expect(error.hint).toContain(nearest);
});

test.each([
  [["one", "two"], 'Unexpected argument "two".'],
  [["--app"], '"--app" needs a value.'],
  [["--app="], '"--app" needs a value.'],
  [["--follow=yes"], '"--follow" takes no value.'],
  [["--format", "yaml"], '"--format" cannot be "yaml": it takes text or json.'],
])("%p is refused: %s", (argv, message) => {
  expect(thrownBy(() => parseArguments(command, argv))).toMatchObject({ code: "usage", message });
});

test("--help and --json are seen anywhere before --", () => {
  expect(wantsHelp(["here", "-h"])).toBe(true);
  expect(wantsHelp(["--", "--help"])).toBe(false);
  expect(wantsJson(["--format", "json"])).toBe(true);
  expect(wantsJson(["--format", "text", "--app", "json"])).toBe(false);
});

function thrownBy(work: () => unknown): AetherError {
  try {
    work();
  } catch (error) {
    if (error instanceof AetherError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

test("further arguments are taken where a command says so, and flags among them are still known", () => {
  const variadic = { ...command, args: { app: command.args.app }, rest: { name: "KEY=value", description: "" } };
  expect(parseArguments(variadic, ["A=1", "--app", "shop", "B=--x y"])).toMatchObject({
    app: "shop",
    _: ["A=1", "B=--x y"],
  });
  expect(thrownBy(() => parseArguments(variadic, ["A=1", "--ap"])).code).toBe("usage");
});
