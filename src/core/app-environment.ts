import { delimiter, dirname, join } from "node:path";

export interface AppPlace {
  /** The unpacked release. */
  folder: string;
  /** The Node that applications run on. */
  nodePath: string;
  /** Absent: the program does not listen. */
  port?: number | undefined;
}

/**
 * The application's whole environment (design section 7): what the driver gave, the port, and a PATH that finds the
 * release's own tools first and the very Node that runs it next.
 */
export function appEnvironment(given: Record<string, string>, { folder, nodePath, port }: AppPlace) {
  const path = [join(folder, "node_modules", ".bin"), dirname(nodePath), given.PATH].filter(Boolean);
  const own = { NODE_ENV: "production", ...given, PATH: path.join(delimiter) };
  return port === undefined ? own : { ...own, PORT: String(port) };
}
