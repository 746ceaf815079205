import { AetherError } from "../lib/errors.ts";

const pattern = /^[a-z]([-a-z0-9]{0,48}[a-z0-9])?$/;
const reserved = /^(aether|kube-)|^kubernetes$/;

/** The same rules as one pattern, for documents. */
export const appNamePattern = "^(?!aether|kube-|kubernetes$)(?!.*--)[a-z]([-a-z0-9]{0,48}[a-z0-9])?$";

/** Why `name` cannot name an application, or undefined when it can. */
export function appNameProblem(name: string): string | undefined {
  if (!pattern.test(name)) {
    return "it must start with a letter, hold only a-z, 0-9 and -, not end with -, and have at most 50 characters";
  }
  if (name.includes("--")) return "it must not contain two dashes in a row";
  if (reserved.test(name)) return "names that start with aether or kube-, and kubernetes, are reserved";
  return undefined;
}

/** An application name from input, or `bad_request`. */
export function parseAppName(value: unknown): string {
  const problem = typeof value === "string" ? appNameProblem(value) : "it must be text";
  if (typeof value === "string" && problem === undefined) return value;
  throw new AetherError(
    "bad_request",
    `The app name ${JSON.stringify(value) ?? "(none)"} cannot be used: ${problem}.`,
    {
      hint: "Choose a name such as shop or billing-api, with --app or in aether.json.",
    },
  );
}

/** The application name that a package's name suggests: `@acme/My_App.web` gives `my-app-web`. It may still be none. */
export function toAppName(packageName: string): string {
  return packageName
    .replace(/^@[^/]*\//, "")
    .toLowerCase()
    .replace(/[._-]+/g, "-")
    .replace(/^-|-$/g, "");
}
