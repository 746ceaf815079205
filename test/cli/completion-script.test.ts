import { expect, test } from "bun:test";
import { type Completed, completionScript } from "../../src/cli/completion-script.ts";
import { folderOf } from "../harness/files.ts";

const hot = { hot: { type: "boolean", description: "Load the code" } } as const;
const status: Completed = { name: "hot-status", summary: "Show", args: { app: { type: "string" } } };
const commands: Completed[] = [{ name: "dev", summary: "Develop", verbs: [status], args: hot }];

/** What bash offers for the last of these words. */
async function offered(words: string[]): Promise<string[]> {
  await using folder = await folderOf({ "aether.bash": completionScript("bash", commands) });
  const script = `. ${folder.path}/aether.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _aether; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = Bun.spawnSync(["bash", "-c", script, "bash", ...words]);
  expect(stderr.toString()).toBe("");
  return stdout.toString().trim().split("\n");
}

test("bash offers both the verbs and the flags of a noun that is a command as well", async () => {
  expect(await offered(["aether", "dev", ""])).toEqual(["hot-status", "--hot", "--help", "-h"]);
  expect(await offered(["aether", "dev", "--hot", "--h"])).toEqual(["--hot", "--help"]);
  expect(await offered(["aether", "dev", "hot-status", "--"])).toEqual(["--app", "--help"]);
});
