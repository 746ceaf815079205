import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { configurationDocument } from "../../src/config/configuration-document.ts";
import { parseServerConfig } from "../../src/config/server.ts";
import { parseApiTokens } from "../../src/config/tokens.ts";

const token = "0123456789abcdef0123456789abcdef";

function thrownBy(env: Record<string, string>): { message: string; hint?: string } {
  try {
    parseServerConfig(env);
  } catch (error) {
    return error as { message: string };
  }
  throw new Error("nothing was thrown");
}

test("nothing needs to be configured", () => {
  expect(parseServerConfig({ HOME: "/home/ada" })).toMatchObject({
    host: "127.0.0.1",
    port: 8080,
    gatewayPort: 8081,
    dataFolder: "/home/ada/.local/state/aether",
    authRequired: false,
    presignExpireSeconds: 900,
    verifyRemoteHash: true,
  });
});

test("every bad variable is reported at once, with its name", () => {
  const { message } = thrownBy({
    AETHER_PORT: "99999",
    AETHER_VERIFY_REMOTE_HASH: "yes",
    DATABASE_URL: "mysql://x",
    AETHER_PROT: "1",
    AETHER_BOGUS: "1",
    AETHER_DATABASE_URL: "x",
  });
  expect(message).toContain("AETHER_PORT:");
  expect(message).toContain("AETHER_VERIFY_REMOTE_HASH:");
  expect(message).toContain("DATABASE_URL: must start with postgres://");
  expect(message).toContain('AETHER_PROT: there is no such variable. Did you mean "AETHER_PORT"?');
  expect(message).toMatch(/AETHER_BOGUS: there is no such variable\.$/m);
  expect(message).toContain('AETHER_DATABASE_URL: there is no such variable. Did you mean "DATABASE_URL"?');
});

test.each([
  ["AETHER_RETAIN_MAX_AGE_SECS", 3_000_000_000],
  ["AETHER_MAX_ARTIFACT_SIZE_BYTES", 5 * 1024 ** 3],
])("%s is at most %d", (name, most) => {
  expect(() => parseServerConfig({ HOME: "/home/ada", [name]: String(most) })).not.toThrow();
  expect(thrownBy({ HOME: "/home/ada", [name]: String(most + 1) }).message).toContain(`${name}:`);
});

test("variables of the command line are not the server's mistakes", () => {
  expect(() => parseServerConfig({ AETHER_TOKEN: "x", AETHER_API_BASE: "y", AETHER_APP: "z" })).not.toThrow();
});

test("beyond loopback a token is demanded, unless that is said", () => {
  expect(thrownBy({ AETHER_HOST: "0.0.0.0" }).message).toContain("AETHER_API_TOKENS is empty");
  expect(parseServerConfig({ AETHER_HOST: "0.0.0.0", AETHER_AUTH_REQUIRED: "0" }).authRequired).toBe(false);
  expect(parseServerConfig({ AETHER_HOST: "0.0.0.0", AETHER_API_TOKENS: `${token}:admin` }).authRequired).toBe(true);
  expect(parseServerConfig({ AETHER_API_TOKENS: `${token}:admin` }).authRequired).toBe(true);
});

test("webhooks reach private addresses by default only where everybody on this machine is let in", () => {
  expect(parseServerConfig({}).webhookAllowPrivate).toBe(true);
  expect(parseServerConfig({ AETHER_API_TOKENS: `${token}:admin` }).webhookAllowPrivate).toBe(false);
  expect(parseServerConfig({ AETHER_HOST: "0.0.0.0", AETHER_AUTH_REQUIRED: "0" }).webhookAllowPrivate).toBe(false);
  expect(parseServerConfig({ AETHER_WEBHOOK_ALLOW_PRIVATE: "0" }).webhookAllowPrivate).toBe(false);
});

test("tokens are kept as hashes and never shown", () => {
  const [parsed] = parseApiTokens(`${token}:deployer:ci`);
  expect(parsed).toMatchObject({ role: "deployer", name: "ci" });
  expect(JSON.stringify(parsed)).not.toContain(token);
  expect(thrownBy({ AETHER_API_TOKENS: `${token}:king` }).message).toBe(
    "Entry 1 of AETHER_API_TOKENS cannot be used: its role must be one of admin, deployer, reader.",
  );
  expect(thrownBy({ AETHER_API_TOKENS: `${token}:admin,short:admin` }).message).toContain("Entry 2");
});

test("the reference of the variables is the one the parser prints", async () => {
  const written = await readFile(join(import.meta.dir, "../../src/docs/configuration.md"), "utf8");
  expect(written).toBe(configurationDocument());
});

test.each(["*", "https://a.example/", "https://a.example/x", "a.example", "null", "https://A.example", "file:///x"])(
  "%p is no origin whose pages could be let in",
  (origin) => {
    const { message } = thrownBy({ AETHER_CORS_ALLOWED_ORIGINS: `https://ok.example,${origin}` });
    expect(message).toContain("AETHER_CORS_ALLOWED_ORIGINS: must be origins");
  },
);

test("origins are separated by commas", () => {
  expect(
    parseServerConfig({ AETHER_CORS_ALLOWED_ORIGINS: "https://a.example, http://localhost:3000" }).corsAllowedOrigins,
  ).toEqual(["https://a.example", "http://localhost:3000"]);
});

test("where and how applications run on Kubernetes is read whole", () => {
  const env = {
    HOME: "/home/ada",
    KUBECONFIG: "/a:/b",
    AETHER_RUNTIME: "kubernetes",
    AETHER_KUBE_CONTEXT: "staging",
    AETHER_APP_DOMAIN: "apps.example.com",
    AETHER_INGRESS_CLASS: "nginx",
    AETHER_NODE_SELECTOR: "pool=apps, disk=ssd",
    AETHER_TOLERATIONS: "pool=apps:NoSchedule,spot:NoExecute,any",
  };
  expect(parseServerConfig(env).kubernetes).toMatchObject({
    location: { kubeconfigs: ["/a", "/b"], context: "staging" },
    namespace: "aether-apps",
    runtimeImage: "aether-nodejs:{major}-slim",
    ingress: { domain: "apps.example.com", className: "nginx" },
    serviceType: "ClusterIP",
    nodeSelector: { pool: "apps", disk: "ssd" },
    tolerations: [
      { key: "pool", operator: "Equal", value: "apps", effect: "NoSchedule" },
      { key: "spot", operator: "Exists", effect: "NoExecute" },
      { key: "any", operator: "Exists" },
    ],
  });
  expect(parseServerConfig({ ...env, AETHER_RUNTIME: "local" }).kubernetes).toBeUndefined();
});

test.each([
  ["AETHER_RUNTIME", "docker"],
  ["AETHER_NAMESPACE", "Not_A_Name"],
  ["AETHER_SERVICE_TYPE", "nodeport"],
  ["AETHER_NODE_SELECTOR", "pool"],
  ["AETHER_TOLERATIONS", "pool=apps:Never"],
  ["AETHER_APP_DOMAIN", "https://apps.example.com/"],
])("%s=%s is refused", (name, value) => {
  expect(thrownBy({ HOME: "/home/ada", [name]: value }).message).toContain(`${name}:`);
});
