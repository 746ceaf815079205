import { createHash } from "node:crypto";
import { type Role, roles } from "../core/roles.ts";
import { AetherError } from "../lib/errors.ts";

/** A token as the server keeps it: its hash, never itself. */
export interface ApiToken {
  /** Hex SHA-256 of the token. */
  hash: string;
  role: Role;
  name: string;
}

/** Hex SHA-256 of a token: what is kept and compared. */
export const hashToken = (token: string): string => createHash("sha256").update(token).digest("hex");

/** `token:role[:name],…` of AETHER_API_TOKENS. Errors name the position, never the token. */
export function parseApiTokens(text: string | undefined): ApiToken[] {
  const entries = (text ?? "").split(",").map((entry) => entry.trim());
  return entries.filter((entry) => entry !== "").map(parseEntry);
}

function parseEntry(entry: string, index: number): ApiToken {
  const [token = "", role, name] = entry.split(":");
  const known = roles.find((candidate) => candidate === role);
  if (known === undefined || token.length < 16) {
    const why = known === undefined ? `its role must be one of ${roles.join(", ")}` : "it has less than 16 characters";
    throw new AetherError("config_invalid", `Entry ${index + 1} of AETHER_API_TOKENS cannot be used: ${why}.`, {
      hint: "Write token:role[:name], for example with a token from: openssl rand -hex 32",
    });
  }
  return { hash: hashToken(token), role: known, name: name ?? `${known}-${index + 1}` };
}
