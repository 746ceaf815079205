import { apiToken, createHarness, type HarnessOptions } from "./control-plane.ts";

/** The token of the environment that every guarded harness knows. */
export const adminToken = "admin-token-0123456789";

/** `Authorization` for a token. */
export const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

/** A control plane that demands tokens, and makes them. */
export async function createGuardedHarness(options: HarnessOptions = {}) {
  const aether = await createHarness({ ...options, tokens: [apiToken(adminToken, "admin")] });

  /** Makes a token through the API. */
  async function makeToken(wanted: { role: string; apps?: string[]; name?: string; expires_in_secs?: number }) {
    const { status, body } = await aether.send("POST", "/tokens", { name: "test", ...wanted }, bearer(adminToken));
    if (status !== 201) throw new Error(JSON.stringify(body));
    return body as { id: string; token: string };
  }

  /** Sends a request as the holder of a token. */
  const as = (token: string, method: string, path: string, body?: unknown) =>
    aether.send(method, path, body, bearer(token));

  return { ...aether, makeToken, as };
}

export type GuardedHarness = Awaited<ReturnType<typeof createGuardedHarness>>;
