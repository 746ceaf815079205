import { followTree } from "../../src/cli/dev/follow-tree.ts";

// Follows the folder of its argument and prints a line of JSON for each warning and each change; watch-tree.test.ts runs it
// where the system allows a few watches only.
const [root = ""] = process.argv.slice(2);
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
const { signal } = new AbortController();
const warn = (warning: string) => say({ warning });
for await (const changed of followTree(root, { signal, warn, safetyMs: 3_600_000 })) say({ changed });
