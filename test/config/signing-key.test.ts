import { expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readSigningKey } from "../../src/config/signing-key.ts";
import { findSigner } from "../../src/core/verify-signature.ts";
import { failureOf } from "../harness/failure-of.ts";
import { createSigner } from "../harness/signing.ts";
import { temporaryFolder } from "../harness/temporary-folder.ts";

const digest = "ab".repeat(32);

test("a seed in hex or base64, a PEM, and a file of any of them are the same key", async () => {
  await using folder = await temporaryFolder();
  const signer = createSigner();
  const base64 = Buffer.from(signer.seed, "hex").toString("base64");
  const spellings = [
    signer.seed,
    signer.seed.toUpperCase(),
    base64,
    base64.replace("=", ""),
    signer.pem,
    `${signer.seed}\n`,
  ];
  for (const [number, text] of spellings.entries()) {
    const path = join(folder.path, `key-${number}`);
    await writeFile(path, text);
    for (const AETHER_SIGNING_KEY of [text, path]) {
      const key = await readSigningKey({ AETHER_SIGNING_KEY });
      expect(key?.publicKey).toBe(signer.publicKey);
      expect(await key?.sign(digest)).toBe(signer.sign(digest)); // Ed25519 signs alike wherever it is done
    }
  }
});

test("without the variable there is no key", async () => {
  expect(await readSigningKey({})).toBeUndefined();
  expect(await readSigningKey({ AETHER_SIGNING_KEY: "" })).toBeUndefined();
});

test("what is no key is config_invalid, and never repeated", async () => {
  await using folder = await temporaryFolder();
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" });
  const path = join(folder.path, "note");
  await writeFile(path, "not a key");
  const { seed, publicKey, pem } = createSigner();
  const wrong = [
    seed.slice(1),
    `${seed}00`,
    String(rsa),
    pem.slice(0, 60),
    "/nowhere/key.pem",
    path,
    folder.path,
    "\0",
  ];
  for (const value of wrong) {
    const failure = await failureOf(readSigningKey({ AETHER_SIGNING_KEY: value }));
    expect(failure.code).toBe("config_invalid");
    expect(JSON.stringify([failure.message, failure.hint, failure.details, String(failure.cause)])).not.toContain(
      value,
    );
  }
  expect(await findSigner(digest, createSigner().sign(digest), [publicKey])).toBeUndefined();
});

test("a key shows nothing of its seed when it is printed", async () => {
  const { seed } = createSigner();
  const key = await readSigningKey({ AETHER_SIGNING_KEY: seed });
  expect(`${JSON.stringify(key)}${Bun.inspect(key)}`).not.toContain(seed);
});
