import { join } from "node:path";
import { agentFileName, podPaths, workspaceNames } from "../core/pod-agent.ts";
import { hotPaths } from "../core/pod-hot.ts";

/** What the main container runs, by any POSIX shell. */
export function runScript(workspace: string): string {
  const app = quoted(join(workspace, workspaceNames.app));
  const start = quoted(join(workspace, workspaceNames.start));
  // The trap keeps the application's shell until what it runs has ended: a drain is not cut short.
  const inner = `trap 'exit $?' TERM INT; eval "$(cat ${start})"`;
  return `# Written by aether: runs the application. Its start command is in ${workspaceNames.start}.
cd ${app} || exit 1
export NODE_ENV="\${NODE_ENV-production}" PATH=${app}/node_modules/.bin:"$PATH"
${belowProcessOne(inner)}`;
}

/** The same for dev-hot: the supervisor, to which NODE_OPTIONS of the application must not speak. */
export function hotRunScript({
  control = hotPaths.control as string,
  workspace = podPaths.workspace as string,
} = {}): string {
  const agent = `${podPaths.agentFolder}/${agentFileName}`;
  return `# Written by aether: runs the supervisor, and that the versions of the application.
export AETHER_APP_NODE_OPTIONS="\${NODE_OPTIONS-}"
unset NODE_OPTIONS
${belowProcessOne(`exec node ${quoted(agent)} supervise-hot ${quoted(control)} ${quoted(workspace)}`)}`;
}

/**
 * tini, or the shell where the image has none, is process 1: it reaps what is left over and hands signals to the whole
 * group. Node could not be that: it waits for its own children only.
 */
function belowProcessOne(inner: string): string {
  return `run=${quoted(inner)}
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
