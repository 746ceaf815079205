import { generateKeyPairSync } from "node:crypto";
import { mkdir, open } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { AetherError, asDiskError, asFolderError, systemCode } from "../../../lib/errors.ts";
import { commonArgs } from "../../args.ts";
import { defineCommand } from "../../command.ts";

export default defineCommand({
  meta: { name: "keys generate", description: "Make a key pair: the private key to a file, the public key to stdout" },
  args: {
    out: { type: "string", valueHint: "file", description: "Where the private key is written; never over another" },
    ...commonArgs,
  },
  examples: [
    ["aether keys generate", "to signing-key.pem in aether's configuration folder"],
    ['aether keys add "$(aether keys generate --out ci.pem)" --app shop', "make one and let it sign for an app"],
  ],
  async run({ args, config, output, cwd }) {
    const path =
      args.out === undefined ? join(dirname(config.paths.configFile), "signing-key.pem") : resolve(cwd, args.out);
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    await writeNew(path, privateKey.export({ type: "pkcs8", format: "pem" }).toString());
    const hex = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("hex");
    if (output.isJson) return output.json({ public_key_hex: hex, private_key: path });
    output.done(`The private key is in ${path}, readable by you only. Sign with AETHER_SIGNING_KEY=${path}`);
    output.text(`${hex}\n`);
  },
});

/** A key that is there already may be in use: it is never written over. */
async function writeNew(path: string, pem: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true }).catch((error: unknown) => {
    throw asFolderError(error, "create", dirname(path));
  });
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(pem);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw asDiskError(error, "write", path);
    throw new AetherError("usage", `${path} exists already, and may be a key that is in use.`, {
      hint: "Name another file with --out.",
    });
  }
}
