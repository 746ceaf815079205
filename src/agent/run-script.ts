import { join } from "node:path";
import { workspaceNames } from "../core/pod-agent.ts";

/**
 * What the main container runs, by any POSIX shell. tini, or the shell where the image has none, is process 1: it reaps
 * what is left over and hands signals to the whole group of the application. Node could not be that: it waits for its own
 * children only.
 */
export function runScript(workspace: string): string {
  const app = quoted(join(workspace, workspaceNames.app));
  const start = quoted(join(workspace, workspaceNames.start));
  // The trap keeps the application's shell until what it runs has ended: a drain is not cut short.
  const inner = `trap 'exit $?' TERM INT; eval "$(cat ${start})"`;
  return `# Written by aether: runs the application. Its start command is in ${workspaceNames.start}.
cd ${app} || exit 1
export NODE_ENV="\${NODE_ENV-production}" PATH=${app}/node_modules/.bin:"$PATH"
run=${quoted(inner)}
if command -v tini >/dev/null; then exec tini -g -- /bin/sh -c "$run"; fi
setsid /bin/sh -c "$run" &
app=$!
trap 'kill -TERM -"$app"' TERM
trap 'kill -INT -"$app"' INT
while :; do
  wait "$app"
  code=$?
  kill -0 "$app" 2>/dev/null || exit "$code"
done
`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
