import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { appNameProblem } from "../../core/app-name.ts";
import { isDigest } from "../../core/digest.ts";
import { findSigner } from "../../core/verify-signature.ts";
import { AetherError, asDiskError } from "../../lib/errors.ts";
import { resolveAppName } from "../app-name.ts";
import { appArgs } from "../args.ts";
import { type Client, createClient, isNotFound } from "../client.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { isDigestPrefix, resolveDigest } from "../find-digest.ts";
import { givenPublicKey } from "../values.ts";

export default defineCommand({
  meta: { name: "verify", description: "Check an artifact's signature on this machine" },
  args: {
    what: {
      type: "positional",
      description: "An artifact's file, a digest or its beginning, or an app, whose running release is meant",
    },
    "public-key": { type: "string", valueHint: "hex", description: "The key to trust; default: the app's active ones" },
    ...appArgs,
  },
  examples: [
    ["aether verify shop", "what runs"],
    ["aether verify app-9f86d081….tar.gz --app shop --public-key 3b6a27bc…", "a file, by a key you were given"],
  ],
  async run(context) {
    const { args, config, output, signal } = context;
    const client = createClient({ ...config, signal });
    const trusted = args["public-key"];
    const given = trusted === undefined ? [] : [givenPublicKey("--public-key", trusted)];
    const { digest, app } = await find(String(args.what), client, context);
    const artifact = await client.artifact(digest, app);
    const keys = given.length > 0 ? given : await activeKeys(client, artifact.app);
    const signer = artifact.signature === null ? undefined : await findSigner(digest, artifact.signature, keys);
    if (signer === undefined) throw unverified(digest, artifact.signature !== null);
    if (output.isJson) return output.json({ app: artifact.app, digest, verified: true, public_key_hex: signer });
    output.done(`${digest} of ${artifact.app} was signed with ${signer}`);
  },
});

async function find(what: string, client: Client, { config, cwd, ...context }: CommandContext) {
  if (isDigest(what)) return { digest: what, app: config.app };
  const path = resolve(cwd, what);
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  if (isFile) return { digest: await hashFile(path), app: config.app };
  if (isDigestPrefix(what) && !(await isApp(client, what))) {
    return { digest: await resolveDigest(client, what, config.app), app: config.app };
  }
  const app = await resolveAppName({ config, cwd, ...context }, what);
  const running = (await client.deployments(app, 100)).find(({ status }) => status === "running");
  if (running) return { digest: running.digest, app };
  throw new AetherError("not_found", `Nothing of ${app} runs.`, { hint: "Name a digest or a file." });
}

/** `facade` may be a name as well, which is what it is then. */
async function isApp(client: Client, what: string): Promise<boolean> {
  if (appNameProblem(what) !== undefined) return false;
  return client.app(what).then(
    () => true,
    (error: unknown) => {
      if (isNotFound(error)) return false;
      throw error;
    },
  );
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash).catch((error: unknown) => {
    throw asDiskError(error, "read", path);
  });
  return hash.digest("hex");
}

async function activeKeys(client: Client, app: string): Promise<string[]> {
  return (await client.publicKeys(app)).filter(({ active }) => active).map(({ public_key_hex }) => public_key_hex);
}

function unverified(digest: string, isSigned: boolean): AetherError {
  const why = isSigned ? "was not signed by a key that counts" : "is not signed";
  return new AetherError("signature_invalid", `${digest} ${why}.`, {
    hint: "Deploy it again with AETHER_SIGNING_KEY set.",
    details: { digest, verified: false },
  });
}
