import { runJson, type User } from "./binary.ts";

interface Line {
  action: string;
}

/** What became of each of an app's deployments, oldest first, as the audit has it: `running`, `failed`, once for each. */
export async function auditedVerdicts(user: User, env: Record<string, string>, app: string): Promise<string[]> {
  const { json } = await runJson(user, ["audit", "--app", app, "--limit", "1000"], { env });
  const actions: string[] = json.audit.map(({ action }: Line) => action).reverse();
  return actions.filter((action) => /^deployment\.(running|failed)$/.test(action)).map((action) => action.slice(11));
}
