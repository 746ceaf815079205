import type { z } from "@hono/zod-openapi";

/** One sentence about what a schema refused: the field, and what it takes. */
export function inputProblem(issue: z.core.$ZodIssue): string {
  const path = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0] ?? ""] : issue.path;
  const field = path.length === 0 ? "The request body" : `"${path.join(".")}"`;
  if (issue.code === "unrecognized_keys") return `${field} is not known here.`;
  if (isMissing(issue)) return path.length === 0 ? `${field} is missing.` : `${field} is missing: ${takes(issue)}.`;
  return `${field} is not valid: ${takes(issue)}.`;
}

/** Whether nothing was given where something must be. */
export const isMissing = ({ code, message }: z.core.$ZodIssue): boolean =>
  code === "invalid_type" && message.endsWith("received undefined");

function takes(issue: z.core.$ZodIssue): string {
  if (/^[a-z]/.test(issue.message)) return issue.message; // the schema's own words; zod's begin with a capital
  switch (issue.code) {
    case "invalid_type":
      return `it must be ${kinds[issue.expected] ?? `of type ${issue.expected}`}`;
    case "too_small":
      return `it must ${bound(issue.origin, "at least", issue.minimum)}`;
    case "too_big":
      return `it must ${bound(issue.origin, "at most", issue.maximum)}`;
    case "invalid_value":
      return `it must be ${issue.values.length === 1 ? "" : "one of "}${issue.values.map(String).join(", ")}`;
    case "invalid_format":
      return issue.format in formats ? `it must be ${formats[issue.format]}` : "it does not have the form it must have";
    case "not_multiple_of":
      return `it must be a multiple of ${issue.divisor}`;
    default:
      return "it is none of what is taken here";
  }
}

function bound(origin: string, which: string, count: number | bigint): string {
  if (origin === "string") return `have ${which} ${count} ${count === 1 ? "character" : "characters"}`;
  if (origin === "array" || origin === "set") return `have ${which} ${count} ${count === 1 ? "entry" : "entries"}`;
  return `be ${which} ${count}`;
}

const kinds: Record<string, string> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
  null: "null",
};

const formats: Record<string, string> = {
  uuid: "a UUID",
  url: "a URL",
  datetime: "an RFC 3339 time such as 2026-01-31T12:00:00Z",
};
