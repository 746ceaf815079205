import { expect, test } from "bun:test";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deriveKeys, loadSecretsKeys } from "../../src/config/secrets-key.ts";
import { createSealer } from "../../src/lib/sealer.ts";
import { failureOf } from "../harness/failure-of.ts";
import { temporaryFolder } from "../harness/temporary-folder.ts";

const hex = (byte: string): string => byte.repeat(32);
const none = {
  databaseUrl: undefined,
  secretsKey: undefined,
  secretsKeyFile: undefined,
  secretsKeyPrevious: undefined,
};
const databaseUrl = "postgres://db/aether";

test("the first start makes a key in the data folder, for its owner only, and later ones find it", async () => {
  await using folder = await temporaryFolder();
  const [made] = await loadSecretsKeys(none, folder.path);
  expect((await stat(join(folder.path, "secrets.key"))).mode & 0o777).toBe(0o600);
  expect(await loadSecretsKeys(none, folder.path)).toEqual([made]);
  expect((await readFile(join(folder.path, "secrets.key"), "utf8")).trim()).toBe(Buffer.from(made).toString("hex"));
});

test("the variable beats the file, and the file beats the data folder", async () => {
  await using folder = await temporaryFolder();
  const secretsKeyFile = join(folder.path, "mounted");
  await writeFile(secretsKeyFile, `${hex("bb")}\n`);
  const given = { ...none, databaseUrl, secretsKeyFile };
  expect(await loadSecretsKeys(given, folder.path)).toEqual([Buffer.from(hex("bb"), "hex")]);
  const both = { ...given, secretsKey: Buffer.from(hex("aa"), "hex").toString("base64") };
  expect(await loadSecretsKeys(both, folder.path)).toEqual([Buffer.from(hex("aa"), "hex")]);
});

test("on Postgres a key is demanded: each server would else make its own", async () => {
  await using folder = await temporaryFolder();
  const failure = await failureOf(loadSecretsKeys({ ...none, databaseUrl }, folder.path));
  expect(failure).toMatchObject({ code: "config_invalid", hint: expect.stringContaining("AETHER_SECRETS_KEY") });
});

test("a file that is missing, or is no key, is named, and its content is not", async () => {
  await using folder = await temporaryFolder();
  const secretsKeyFile = join(folder.path, "mounted");
  const load = () => failureOf(loadSecretsKeys({ ...none, secretsKeyFile }, folder.path));
  expect((await load()).message).toContain(`${secretsKeyFile}, which cannot be read (ENOENT)`);
  await writeFile(secretsKeyFile, "hunter2");
  expect((await load()).message).toContain(secretsKeyFile);
  expect((await load()).message).not.toContain("hunter2");
});

test("what a previous key sealed is still opened, and sealed anew with the present one", async () => {
  await using folder = await temporaryFolder();
  const sealerOf = async (secretsKey: string, secretsKeyPrevious?: string) =>
    createSealer(
      deriveKeys(await loadSecretsKeys({ ...none, secretsKey, secretsKeyPrevious }, folder.path), "sealed values"),
    );
  const before = await sealerOf(hex("aa"));
  const rotated = await sealerOf(hex("bb"), hex("aa"));
  const after = await sealerOf(hex("bb"));
  const sealed = before.seal("a secret", "webhook 1");
  expect(rotated.open(sealed, "webhook 1")).toBe("a secret");
  expect(() => after.open(sealed, "webhook 1")).toThrow("none of the secrets keys");
  expect(after.open(rotated.seal("a secret", "webhook 1"), "webhook 1")).toBe("a secret");
});

test("a sealed value that was changed, cut or moved to another place does not open", () => {
  const sealer = createSealer([new Uint8Array(32).fill(1)]);
  const sealed = sealer.seal("a secret", "webhook 1");
  expect(sealer.seal("a secret", "webhook 1")).not.toBe(sealed);
  const [version = "", iv = "", bytes = "", tag = ""] = sealed.split(".");
  const flipped = `${bytes.startsWith("A") ? "B" : "A"}${bytes.slice(1)}`;
  for (const bad of [
    `${version}.${iv}.${flipped}.${tag}`,
    `${version}.${iv}.${bytes}.${tag.slice(0, 6)}`,
    "",
    "v1...",
  ]) {
    expect(() => sealer.open(bad, "webhook 1")).toThrow();
  }
  expect(() => sealer.open(sealed, "webhook 2")).toThrow();
});
