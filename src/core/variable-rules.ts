import { AetherError } from "../lib/errors.ts";

/** Linux takes no longer text `NAME=value` in an environment: 32 pages, with the zero that ends it. */
const maxEntryBytes = 128 * 1024 - 1;
/** All of them, names with values: a Kubernetes Secret holds 1 MiB, and an environment shares 2 MiB with the arguments. */
const maxTotalBytes = 768 * 1024;
const maxVariables = 500;
/** A key of a Kubernetes Secret. */
const maxNameLength = 253;

/** Throws `bad_request` for a variable that no runtime could pass on exactly, or that is aether's own. Never names values. */
export function assertVariable(name: string, value: string): void {
  const problem = nameProblem(name) ?? valueProblem(name, value);
  if (problem) throw new AetherError("bad_request", problem.message, { hint: problem.hint });
}

/** Throws `bad_request` when an app would have too many variables, or too much in them. */
export function assertVariablesFit(variables: Record<string, string>): void {
  const entries = Object.entries(variables);
  if (entries.length > maxVariables) {
    throw new AetherError("bad_request", `An app has at most ${maxVariables} variables; these are ${entries.length}.`);
  }
  const bytes = entries.reduce((sum, [name, value]) => sum + sizeOf(name) + sizeOf(value), 0);
  if (bytes <= maxTotalBytes) return;
  throw new AetherError(
    "bad_request",
    `The app's variables would be ${bytes} bytes together; at most ${maxTotalBytes} can be passed on.`,
    { hint: "Put what is large into the artifact, or where the app fetches it from." },
  );
}

interface Problem {
  message: string;
  hint?: string;
}

function nameProblem(name: string): Problem | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || name.length > maxNameLength) {
    return {
      message: `${quoted(name)} is no name of a variable: letters, digits and _ only, no digit first, at most ${maxNameLength} of them.`,
    };
  }
  if (name === "PORT") {
    return {
      message: "PORT is given by the platform: the app listens on what it finds there.",
      hint: 'An app that listens on a fixed port names it as "port" in aether.json.',
    };
  }
  if (/^AETHER_/i.test(name))
    return { message: `${name} cannot be set: names that begin with AETHER_ are the platform's.` };
  return undefined;
}

function valueProblem(name: string, value: string): Problem | undefined {
  if (value.includes("\0"))
    return { message: `The value of ${name} holds a NUL, which ends a value in an environment.` };
  if (!value.isWellFormed())
    return { message: `The value of ${name} is no Unicode text: it holds half of a surrogate pair.` };
  const bytes = sizeOf(name) + 1 + sizeOf(value);
  if (bytes <= maxEntryBytes) return undefined;
  return {
    message: `${name} is ${bytes} bytes with its value; Linux starts no program with a variable of more than ${maxEntryBytes}.`,
    hint: "Put it into a file of the artifact, or where the app fetches it from.",
  };
}

const sizeOf = (text: string): number => Buffer.byteLength(text);

/** Who writes `KEY=value` for a name must not find the value in an error. */
const quoted = (name: string): string => JSON.stringify(/^[A-Za-z0-9_.-]{0,60}/.exec(name)?.[0] ?? "");
