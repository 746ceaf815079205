import { fetchInPod } from "./fetch-in-pod.ts";
import { followCommands } from "./follow-commands.ts";

// `fetch` is the init container of a pod; without a word it is the child process of a server.
const run = process.argv[2] === "fetch" ? fetchInPod(process.env) : followCommands();
// What a forgotten handle would keep open must not keep a stopped agent alive.
void run.then((code) => process.exit(code));
