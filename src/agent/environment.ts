import { delimiter, dirname, join } from "node:path";

/**
 * The application's whole environment (design section 7): what the driver gave, the port, and a PATH that finds the
 * release's own tools first and the very Node that runs this agent next.
 */
export function appEnvironment(given: Record<string, string>, { folder, port }: { folder: string; port: number }) {
  const path = [join(folder, "node_modules", ".bin"), dirname(process.execPath), given.PATH].filter(Boolean);
  return { NODE_ENV: "production", ...given, PATH: path.join(delimiter), PORT: String(port) };
}
