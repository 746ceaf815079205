import { expect, test } from "bun:test";
import {
  formatPodVerdict,
  type PodFetch,
  parsePodVariables,
  parsePodVerdict,
  toPodVariables,
} from "../../src/core/pod-agent.ts";

const digest = "ab".repeat(32);
const fetch: PodFetch = {
  app: "shop",
  digest,
  downloadUrl: `http://aether.aether-system.svc:8080/artifacts/${digest}/download?app=shop`,
  storageOrigins: ["https://s3.example.com", "http://10.0.0.1:9000"],
  tokenFile: "/var/run/aether/token",
  publicKeys: ["aa".repeat(32), "bb".repeat(32)],
  start: "PORT=1 node 'my server.js' && echo \"$HOME\" $$ $(AETHER_APP) `id`\n",
  workspace: "/workspace",
  caFile: "/aether/ca.crt",
  terminationFile: "/tmp/verdict",
};

/** As the kubelet makes it: `$$` is a dollar, `$(NAME)` the value of a variable. */
function environment(variables: { name: string; value: string }[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const { name, value } of variables) {
    env[name] = value.replace(/\$\$|\$\((\w+)\)/g, (found, named) => (found === "$$" ? "$" : (env[named] ?? found)));
  }
  return env;
}

test("the agent reads what the builders wrote", () => {
  expect(parsePodVariables(environment(toPodVariables(fetch)))).toEqual(fetch);
  const { tokenFile, publicKeys, start, caFile, terminationFile, ...least } = { ...fetch, storageOrigins: [] };
  expect(toPodVariables(least).map(({ name }) => name)).toEqual([
    "AETHER_APP",
    "AETHER_DIGEST",
    "AETHER_DOWNLOAD_URL",
    "AETHER_STORAGE_ORIGINS",
    "AETHER_WORKSPACE",
  ]);
  expect(parsePodVariables(environment(toPodVariables(least)))).toEqual(least);
});

test("an empty list of public keys still demands a signature", () => {
  expect(parsePodVariables(environment(toPodVariables({ ...fetch, publicKeys: [] }))).publicKeys).toEqual([]);
});

test.each([
  ["AETHER_APP", undefined],
  ["AETHER_DIGEST", undefined],
  ["AETHER_DIGEST", "AB".repeat(32)],
  ["AETHER_DOWNLOAD_URL", ""],
  ["AETHER_DOWNLOAD_URL", "no url"],
])("%s as %p is refused by name", (name, value) => {
  const env = { ...environment(toPodVariables(fetch)), [name]: value };
  expect(() => parsePodVariables(env)).toThrow(name);
});

test("a verdict is read back, and cut to what the kubelet keeps", () => {
  const verdict = { reason: "digest_mismatch", message: "It is not the one.", digest } as const;
  expect(parsePodVerdict(formatPodVerdict(verdict))).toEqual(verdict);
  const long = formatPodVerdict({ ...verdict, message: "ü\u0001".repeat(5_000) });
  expect(new TextEncoder().encode(long).length).toBeLessThanOrEqual(4_096);
  expect(parsePodVerdict(long)).toMatchObject({
    reason: "digest_mismatch",
    digest,
    message: expect.stringMatching(/^ü.*…$/s),
  });
});

test.each([
  "",
  "null",
  "7",
  "Error: boom",
  `{"reason":"boredom","message":"","digest":"${digest}"}`,
  '{"reason":"exited"}',
])("what another program left, %p, is no verdict", (text) => {
  expect(parsePodVerdict(text)).toBeUndefined();
});
