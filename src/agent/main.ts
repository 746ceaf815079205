import { fetchInPod } from "./fetch-in-pod.ts";
import { followCommands } from "./follow-commands.ts";
import { fetchHot } from "./hot/fetch-hot.ts";
import { superviseHot } from "./hot/supervise-hot.ts";

const [word, ...rest] = process.argv.slice(2);
// What a forgotten handle would keep open must not keep a stopped agent alive.
void run().then((code) => process.exit(code));

/** `fetch` is the init container of a pod, `fetch-hot` and `supervise-hot` are the two of a dev-hot one; without a word it is a server's child. */
function run(): Promise<number> {
  if (word === "fetch") return fetchInPod(process.env);
  if (word === "fetch-hot") return fetchHot(process.env);
  if (word === "supervise-hot") return superviseHot(process.env, rest);
  return followCommands();
}
