import { parseServerUrl } from "../../config/cli.ts";
import { writeSession } from "../../config/session.ts";
import { AetherError } from "../../lib/errors.ts";
import { serverArgs } from "../args.ts";
import { createClient } from "../client.ts";
import { defineCommand } from "../command.ts";

export default defineCommand({
  meta: { name: "login", description: "Remember a server and its token" },
  args: { "token-stdin": { type: "boolean", description: "Read the token from standard input" }, ...serverArgs },
  examples: [
    [
      "aether login --server https://aether.example.com --token-stdin < token.txt",
      "the token stays out of your shell's history",
    ],
    ["aether login --server http://127.0.0.1:8080", "a server that asks for no token"],
  ],
  async run({ args, config, output, signal }) {
    const server = args.server === undefined ? config.server : parseServerUrl(args.server, "--server");
    const token = await readToken(args["token-stdin"] === true, args.token);
    const client = createClient({ server, token, signal });
    const { version } = await client.capabilities(); // refused tokens end here, before anything is written
    const tokens = { ...config.session.tokens };
    if (token === undefined) delete tokens[server];
    else tokens[server] = token;
    await writeSession(config.paths.sessionFile, { server, tokens });
    if (output.isJson) return output.json({ server, version, session: config.paths.sessionFile });
    output.done(`Logged in to ${server} (aether ${version}).`);
  },
});

async function readToken(fromStdin: boolean, flag: string | undefined): Promise<string | undefined> {
  if (!fromStdin) return flag;
  if (flag !== undefined) throw new AetherError("usage", "Give either --token or --token-stdin, not both.");
  const token = (await Bun.stdin.text()).trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new AetherError("usage", "Standard input held no token.", {
    hint: "Pipe it: aether login --token-stdin < token.txt",
  });
}
