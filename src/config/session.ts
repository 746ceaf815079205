import { chmod, readFile } from "node:fs/promises";
import { writeFileDurably } from "../lib/durable-write.ts";
import { AetherError, asDiskError, systemCode } from "../lib/errors.ts";

/** What `aether login` remembers: the server used last, and a token for each server. */
export interface Session {
  server?: string;
  tokens: Record<string, string>;
}

/** The session, empty when there is none. */
export async function readSession(path: string): Promise<Session> {
  try {
    const session: unknown = JSON.parse(await readFile(path, "utf8"));
    if (isSession(session)) return session;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return { tokens: {} };
    if (!(error instanceof SyntaxError)) throw asDiskError(error, "read", path);
  }
  throw new AetherError("config_invalid", `The session file ${path} is damaged.`, {
    hint: "Delete it and run aether login again.",
  });
}

/** Replaces the session, readable by its owner only. */
export async function writeSession(path: string, session: Session): Promise<void> {
  try {
    await writeFileDurably(path, `${JSON.stringify(session, null, 2)}\n`, 0o600);
    await chmod(path, 0o600);
  } catch (error) {
    throw asDiskError(error, "write", path);
  }
}

function isSession(value: unknown): value is Session {
  if (typeof value !== "object" || value === null || !("tokens" in value)) return false;
  const { tokens } = value;
  return (
    typeof tokens === "object" && tokens !== null && Object.values(tokens).every((token) => typeof token === "string")
  );
}
