import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { appContainer } from "../../../src/k8s/builders/app-container.ts";
import { secret, secretName } from "../../../src/k8s/builders/secret.ts";
import { appRelease, longestAppName } from "../../harness/app-release.ts";
import { randomFrom, testSeed } from "../../harness/random.ts";

const withValues = (values: Record<string, string>, nameKey = "key") => appRelease({ env: { values, nameKey } });

test("values come back exactly as they were given, whatever they hold", () => {
  const seed = testSeed();
  const random = randomFrom(seed);
  const pieces = ["$(HOME)", "$$", "\n", "\r\n", " ", '"', "'", "\\", "=", "é", "🛸", "# no comment", "\t", ""];
  for (let round = 0; round < 200; round += 1) {
    const value = Array.from({ length: 1 + random() * 8 }, () => pieces[Math.floor(random() * pieces.length)]).join("");
    const kept = secret(withValues({ VALUE: value }))?.data?.VALUE ?? "";
    expect(Buffer.from(kept, "base64").toString(), `seed ${seed}`).toBe(value);
  }
});

test("a name that JavaScript knows is a variable like any other", () => {
  const values = Object.fromEntries([
    ["__proto__", "a"],
    ["constructor", "b"],
  ]);
  expect(Object.entries(secret(withValues(values))?.data ?? {})).toEqual([
    ["__proto__", "YQ=="],
    ["constructor", "Yg=="],
  ]);
});

test("the name follows the content: order does not matter, each name and value does", () => {
  const name = secretName(withValues({ A: "1", B: "2" }));
  expect(secretName(withValues({ B: "2", A: "1" }))).toBe(name as string);
  const others = [{ A: "2", B: "1" }, { A: "1" }, { A: "1", B: "2", C: "" }, { A: '1","B":"2' }, { A1: "", B: "2" }];
  const names = others.map((values) => secretName(withValues(values)));
  expect(new Set([name, ...names]).size).toBe(others.length + 1);
});

test("the name does not let values be guessed: another key, another name, and no bare hash", () => {
  const values = { PASSWORD: "1234" };
  const name = secretName(withValues(values, "one")) as string;
  expect(secretName(withValues(values, "other"))).not.toBe(name);
  const bare = createHash("sha256")
    .update(JSON.stringify(Object.entries(values)))
    .digest("hex")
    .slice(0, 12);
  expect(name).not.toContain(bare);
});

test("variables without a key are refused, and no variables need none and make no Secret", () => {
  expect(() => secretName(appRelease({ env: { values: { A: "1" } } }))).toThrow("no key");
  const release = appRelease();
  expect(secret(release)).toBeUndefined();
  expect(appContainer(release)).not.toHaveProperty("envFrom");
});

test("the Secrets of two applications never share a name", () => {
  const names = ["shop", "shop-env", longestAppName].map((app) =>
    secretName(appRelease({ app, env: { values: { A: "1" }, nameKey: "key" } })),
  );
  for (const name of names) expect(name).toMatch(/^.+-env-[0-9a-f]{12}$/);
  expect(new Set(names).size).toBe(names.length);
});

test("NODE_ENV and HOME are the application's to change, PORT is not", () => {
  const { env = [] } = appContainer(withValues({ NODE_ENV: "staging", HOME: "/workspace", PORT: "1" }));
  expect(env).toEqual([{ name: "PORT", value: "3000" }]);
});
