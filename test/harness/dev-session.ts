import type { RunOptions, User } from "./binary.ts";
import { splitLines } from "./lines-of.ts";

/** `aether dev --hot` on a folder, as a person leaves it running; what it prints is taken line by line. */
export function startDev(
  user: User,
  folder: string,
  { env = {}, flags = ["--json"] }: RunOptions & { flags?: string[] },
) {
  const child = user.spawn(["dev", "--hot", "--dir", folder, ...flags], { env });
  const lines = splitLines(child.stdout);
  const stderr = new Response(child.stderr).text();

  async function line(): Promise<string> {
    const { value } = await lines.next();
    if (value === undefined) throw new Error(`aether dev ended with ${await child.exited}:\n${await stderr}`);
    return value;
  }

  return {
    line,
    /** The next reload, of those that are told as JSON. */
    reload: async () => JSON.parse(await line()),
    /** Ctrl-C. */
    async interrupt() {
      child.kill("SIGINT");
      return { code: await child.exited, rest: await Array.fromAsync(lines), stderr: await stderr };
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
