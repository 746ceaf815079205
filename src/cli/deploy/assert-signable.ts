import type { SigningKey } from "../../core/signing-key.ts";
import type { ArtifactView, PublicKeyView } from "../../core/wire.ts";
import { AetherError } from "../../lib/errors.ts";
import { type Client, orNothing } from "../client.ts";

interface Signable {
  app: string;
  digest: string;
  signingKey: SigningKey | undefined;
}

/** Ends a deploy whose signature, or the lack of one, the server would refuse: before a byte moves. */
export async function assertSignable(client: Client, { app, digest, signingKey }: Signable): Promise<void> {
  if (signingKey !== undefined) return assertRegistered(await keysOf(client, app), { app, key: signingKey.publicKey });
  const { features } = await client.capabilities();
  if (!features.includes("signatures-required")) return;
  const stored = await orNothing(client.artifact(digest, app));
  if (stored?.verified !== true) throw unsigned(stored);
}

function assertRegistered(keys: PublicKeyView[] | undefined, { app, key }: { app: string; key: string }): void {
  const known = keys?.find(({ public_key_hex }) => public_key_hex === key);
  if (known?.active) return;
  const whose = `The public key of AETHER_SIGNING_KEY, ${key},`;
  if (known) {
    throw new AetherError("signature_invalid", `${whose} has been revoked for the app "${app}".`, {
      hint: `Make another with aether keys generate, and register it with aether keys add --app ${app}.`,
    });
  }
  const create = keys === undefined ? `aether apps create ${app}, then ` : "";
  throw new AetherError("signature_invalid", `${whose} is not registered for the app "${app}".`, {
    hint: `Register it with ${create}aether keys add --app ${app}, or set another AETHER_SIGNING_KEY.`,
  });
}

function unsigned(stored: ArtifactView | undefined): AetherError {
  const revoked = stored?.signed_by ?? undefined;
  const why =
    revoked === undefined ? "is not signed" : `was signed with the public key ${revoked}, which has been revoked`;
  return new AetherError("signature_required", `The artifact ${why}, and this server demands a signature.`, {
    hint: "Set AETHER_SIGNING_KEY to a key that is registered for the app (aether keys list); aether keys generate makes one.",
  });
}

const keysOf = (client: Client, app: string) => orNothing(client.publicKeys(app));
