import { expect, test } from "bun:test";
import { appNameProblem, parseAppName, toAppName } from "../../src/core/app-name.ts";
import { isDigest, parseDigest } from "../../src/core/digest.ts";

const digest = "a".repeat(64);

test.each(["a", "shop", "billing-api", "x1", `a${"b".repeat(49)}`])("%p names an app", (name) => {
  expect(appNameProblem(name)).toBeUndefined();
});

test.each([
  "",
  "A",
  "-a",
  "a-",
  "1a",
  "a--b",
  "a_b",
  "a/b",
  "../x",
  "a.b",
  "xn--abc",
  "aether",
  "aether-x",
  "kube-system",
  "kubernetes",
  "a*",
  "a%",
  "a'b",
  `a${"b".repeat(50)}`,
  "é",
])("%p names no app", (name) => {
  expect(() => parseAppName(name)).toThrow(/cannot be used/);
});

test("only 64 lower-case hex characters are a digest", () => {
  expect(parseDigest(digest)).toBe(digest);
  expect(parseDigest(`sha256:${digest}`, { prefix: true })).toBe(digest);
  for (const wrong of [digest.toUpperCase(), digest.slice(1), `${digest}a`, `sha512:${digest}`, "%2e%2e", 1, {}]) {
    expect(isDigest(wrong)).toBe(false);
    expect(() => parseDigest(wrong)).toThrow(expect.objectContaining({ code: "invalid_digest" }));
  }
  expect(() => parseDigest(`sha256:${digest}`)).toThrow(expect.objectContaining({ code: "invalid_digest" }));
  expect(() => parseDigest(undefined)).toThrow(expect.objectContaining({ code: "missing_digest" }));
});

test.each([
  ["shop", "shop"],
  ["@acme/My_App.web", "my-app-web"],
  ["_private_", "private"],
])("the package %s suggests the app %s, to deploy and to every other command", (packageName, name) => {
  expect(toAppName(packageName)).toBe(name);
});
