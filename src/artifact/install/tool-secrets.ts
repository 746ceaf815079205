import { redact } from "../../lib/redact.ts";
import type { Project } from "../project/project.ts";

const secretSetting = /(?:_authToken|_auth|_password|npmAuthToken|npmAuthIdent)["']?\s*[=:]\s*["']?([^\s"']+)/g;
const shapes: [RegExp, string][] = [
  [/\b(npm_)[A-Za-z0-9]{20,}/g, "$1[redacted]"],
  [/(\/\/)[^/@\s:]+:[^/@\s]+@/g, "$1[redacted]@"],
];

/** Removes registry credentials from what a package manager prints: those of the project's settings, and their shapes. */
export function createRedactor({ texts }: Project, env: Record<string, string | undefined>): (text: string) => string {
  const settings = [texts[".npmrc"], texts[".yarnrc"], texts[".yarnrc.yml"]].join("\n");
  const written = [...settings.matchAll(secretSetting)].map(([, value = ""]) => value);
  const named = [...settings.matchAll(/\$\{(\w+)[^}]*\}/g)].map(([, name = ""]) => env[name] ?? "");
  // Short values would blank out ordinary words.
  const values = [...written, ...named].filter((value) => value.length >= 6 && !value.startsWith("${"));
  return (text) => {
    const withoutValues = values.reduce((result, value) => result.replaceAll(value, "[redacted]"), text);
    return redact(
      shapes.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), withoutValues),
    );
  };
}
