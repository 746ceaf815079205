import { createHash, randomUUID } from "node:crypto";
import { AetherError } from "../../lib/errors.ts";
import { retry } from "../../lib/retry.ts";
import type { ArtifactStorage } from "../storage.ts";

/** What a store was seen to refuse. */
export interface S3Probe {
  /** A signed PUT whose bytes do not have the signed checksum. */
  refusesOtherBytes: boolean;
  /** A second PUT to the same key. */
  refusesSecondPut: boolean;
}

const right = new TextEncoder().encode("aether probes what this store refuses");
const wrong = right.map((byte) => byte ^ 1);
const digest = createHash("sha256").update(right).digest("hex");

/** Sends an object of its own as a client would: with other bytes, with the right ones, and once more. */
export async function probeStore(storage: ArtifactStorage, stopped?: AbortSignal): Promise<S3Probe> {
  const key = `probe/${randomUUID()}`;
  const send = async (body: Uint8Array<ArrayBuffer>): Promise<Response> => {
    const put = { key, digest, sizeBytes: right.length, expiresSeconds: 300, audience: "runtime" } as const;
    const { url, headers } = await storage.presignPut(put);
    const signal = AbortSignal.any([...(stopped ? [stopped] : []), AbortSignal.timeout(60_000)]);
    return retry(() => putOnce({ url, headers, body, signal }), { attempts: 3, shouldRetry: () => true, signal });
  };
  try {
    const refusesOtherBytes = !(await send(wrong)).ok;
    if (!refusesOtherBytes) await storage.remove(key);
    const accepted = await send(right);
    if (!accepted.ok) throw await unusable(storage, accepted);
    return { refusesOtherBytes, refusesSecondPut: !(await send(right)).ok };
  } finally {
    await storage.remove(key);
  }
}

interface SignedBody {
  url: string;
  headers: Record<string, string>;
  body: Uint8Array<ArrayBuffer>;
  signal: AbortSignal;
}

async function putOnce({ url, headers, body, signal: ended }: SignedBody): Promise<Response> {
  const signal = AbortSignal.any([ended, AbortSignal.timeout(15_000)]);
  const response = await fetch(url, { method: "PUT", headers, body, redirect: "manual", signal });
  if (response.status < 500) return response;
  throw new AetherError("service_unavailable", `The artifact storage answered ${response.status} to a signed PUT.`);
}

/** `check` names what is wrong with bucket or credentials; else it is the kind of PUT that this store does not take. */
async function unusable(storage: ArtifactStorage, response: Response): Promise<AetherError> {
  await storage.check();
  const said = (await response.text()).slice(0, 300);
  return new AetherError(
    "service_unavailable",
    `The artifact storage answered ${response.status} to a signed PUT as laptops will send it: ${said}`,
    { hint: "See /docs/storage for what a store must understand." },
  );
}
