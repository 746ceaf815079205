import { expect, test } from "bun:test";
import { join } from "node:path";
import { AgentFailure } from "../../src/agent/failure.ts";
import { fetchArtifact } from "../../src/agent/fetch-artifact.ts";
import { type Preparation, prepareRelease } from "../../src/agent/prepare-release.ts";
import { createArtifactStore } from "../harness/artifact-store.ts";
import { createSigner } from "../harness/signing.ts";
import { temporaryFolder } from "../harness/temporary-folder.ts";

/** The verdict that `work` ends with. */
async function verdictOf(work: Promise<unknown>): Promise<AgentFailure> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof AgentFailure) return error;
  throw error ?? new Error("Expected a verdict, but nothing was thrown.");
}

async function signedArtifact() {
  const folder = await temporaryFolder();
  const store = await createArtifactStore();
  const artifact = await store.add({ "server.js": "// signed" });
  const signer = createSigner();
  store.signatures.set(artifact.digest, signer.sign(artifact.digest));
  const { signal } = new AbortController();
  const common = { ...artifact, storageOrigins: [store.storageOrigin], publicKeys: [signer.publicKey] };
  const fetching = { ...common, path: join(folder.path, "artifact"), signal, retryMs: [] };
  const wanted = { ...common, folder: join(folder.path, "releases", artifact.digest), signal, retryMs: [] };
  return {
    store,
    artifact,
    signer,
    fetching,
    prepare: (more: Partial<Preparation> = {}) => prepareRelease({ ...wanted, ...more }, () => undefined),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test("a signature by one of the keys it was given lets the agent download", async () => {
  await using signed = await signedArtifact();
  const publicKeys = [createSigner().publicKey, signed.signer.publicKey];
  expect(await fetchArtifact({ ...signed.fetching, publicKeys })).toMatchObject({ bytes: expect.any(Number) });
});

test("unsigned, wrongly signed and signed by another key is signature_invalid, before a byte is downloaded", async () => {
  await using signed = await signedArtifact();
  const { store, artifact, fetching } = signed;
  for (const signature of [undefined, createSigner().sign(artifact.digest), signed.signer.sign("0".repeat(64)), "x"]) {
    store.signatures.delete(artifact.digest);
    if (signature !== undefined) store.signatures.set(artifact.digest, signature);
    expect(await verdictOf(fetchArtifact(fetching))).toMatchObject({ reason: "signature_invalid" });
  }
  expect(await verdictOf(fetchArtifact({ ...fetching, publicKeys: [] }))).toMatchObject({
    reason: "signature_invalid",
  });
  expect(store.requests.filter(({ url }) => url.startsWith(store.storageOrigin))).toEqual([]);
});

test("where no keys are given, no signature is demanded", async () => {
  await using signed = await signedArtifact();
  const { publicKeys: _, ...fetching } = signed.fetching;
  signed.store.signatures.clear();
  expect(await fetchArtifact(fetching)).toMatchObject({ bytes: expect.any(Number) });
});

test("the server's refusal is the verdict, in its own words", async () => {
  await using signed = await signedArtifact();
  const refusal = { code: "signature_required", message: "It is not signed.", hint: "Sign it.", request_id: "r" };
  signed.store.refusals.set(signed.artifact.digest, () => Response.json(refusal, { status: 403 }));
  expect(await verdictOf(fetchArtifact(signed.fetching))).toMatchObject({
    reason: "signature_invalid",
    message: "It is not signed. Sign it.",
  });
  signed.store.refusals.set(signed.artifact.digest, () => new Response("<html>", { status: 403 }));
  expect(await verdictOf(fetchArtifact(signed.fetching))).toMatchObject({ reason: "artifact_not_found" });
});

test("a release that lies there unpacked is started with permission only", async () => {
  await using signed = await signedArtifact();
  await signed.prepare();
  await signed.prepare();
  expect(signed.store.requests.filter(({ url }) => !url.includes("/download/"))).toHaveLength(1);
  const other = { publicKeys: [createSigner().publicKey] };
  expect(await verdictOf(signed.prepare(other))).toMatchObject({ reason: "signature_invalid" });
  const refusal = { code: "signature_required", message: "The key was revoked.", request_id: "r" };
  signed.store.refusals.set(signed.artifact.digest, () => Response.json(refusal, { status: 403 }));
  expect(await verdictOf(signed.prepare())).toMatchObject({ reason: "signature_invalid" });
});
