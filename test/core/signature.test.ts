import { expect, test } from "bun:test";
import { join } from "node:path";
import { parsePublicKey } from "../../src/core/signature.ts";
import { findSigner } from "../../src/core/verify-signature.ts";
import { temporaryFolder } from "../harness/temporary-folder.ts";
import { signatureVectors } from "./signature-vectors.ts";

const expected = signatureVectors.map(({ name, accepted }) => [name, accepted]);

test("the server accepts what RFC 8032 makes, and nothing that is small, malleable or not canonical", async () => {
  const verdicts = await Promise.all(
    signatureVectors.map(async ({ name, text, signature, publicKey }) => [
      name,
      (await findSigner(text, signature, [publicKey])) !== undefined,
    ]),
  );
  expect(verdicts).toEqual(expected);
});

test("the agent, on stock Node, decides every vector alike", async () => {
  await using place = await temporaryFolder();
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, "verify-on-node.ts")],
    target: "node",
    format: "esm",
    define: { "globalThis.Bun": "undefined" },
  });
  const script = join(place.path, "verify.mjs");
  await Bun.write(script, built.outputs[0] ?? "");
  const node = Bun.spawn(["node", script], { stdin: new Blob([JSON.stringify(signatureVectors)]), stderr: "inherit" });
  const { bun, verdicts } = (await new Response(node.stdout).json()) as { bun: boolean; verdicts: boolean[] };
  expect(bun).toBe(false);
  expect(signatureVectors.map(({ name }, at) => [name, verdicts[at]])).toEqual(expected);
});

test("the signer is found among several keys, and a broken one among them harms nobody", async () => {
  const [, , good, , , another] = signatureVectors;
  if (!good || !another) throw new Error("the table has changed");
  const keys = [another.publicKey, "00".repeat(32), good.publicKey];
  expect(await findSigner(good.text, good.signature, keys)).toBe(good.publicKey);
  expect(await findSigner(good.text, good.signature, [])).toBeUndefined();
});

test.each([
  ["too short", "ab"],
  ["not text", 7],
  ["small order", "00".repeat(32)],
  ["the identity", `01${"00".repeat(31)}`],
  ["not canonical", `ee${"ff".repeat(30)}7f`],
])("a public key that is %s is bad_request", (_, value) => {
  expect(() => parsePublicKey(value)).toThrow(/not an Ed25519 public key/);
});
