import { z } from "zod";
import { AetherError } from "../../lib/errors.ts";
import { nearest } from "../../lib/nearest.ts";
import { isSemverRange } from "./node-range.ts";

const text = z.string().trim().min(1, "must not be empty");

const quantity = z.union([
  z.string().regex(/^\d+(\.\d+)?(m|[kKMGT]i?)?$/, 'must be an amount such as "500m" or "256Mi"'),
  z.number().positive(),
]);

const settingsSchema = z.strictObject({
  $schema: z.string().optional(),
  name: text.optional(),
  start: text.optional(),
  port: z.int().min(1).max(65535).optional(),
  node: text.refine(isSemverRange, 'must be a range of versions such as "20" or ">=20 <25"').optional(),
  build: text.optional(),
  health: z.strictObject({ path: z.string().regex(/^\/\S*$/, 'must be a path that starts with "/"') }).optional(),
  dev: z.strictObject({ build: text.optional() }).optional(),
  replicas: z.int().min(0).max(1000).optional(),
  resources: z.strictObject({ cpu: quantity.optional(), memory: quantity.optional() }).optional(),
});

/** What `aether.json` (or `aether` in package.json) may say (design section 5). */
export type Settings = z.infer<typeof settingsSchema>;

/** Settings from JSON; every bad key and value is reported at once, `file` says where they stand. */
export function parseSettings(value: unknown, file: string): Settings {
  const parsed = settingsSchema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap(describe);
  throw new AetherError(
    "config_invalid",
    [`${file} cannot be used:`, ...problems.map((line) => `  ${line}`)].join("\n"),
    {
      hint: `Mend ${problems.length === 1 ? "this key" : "these keys"} in ${file}.`,
    },
  );
}

type Issue = z.core.$ZodIssue;

function describe(issue: Issue): string[] {
  const path = issue.path.join(".");
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(issue.path.map(String), key));
  if (issue.code === "invalid_type")
    return [`${path || "it"} must be ${expected(issue.expected)}, not ${kindOf(issue.input)}.`];
  if (issue.code === "too_small" && issue.origin !== "string") return [`${path} must be at least ${issue.minimum}.`];
  if (issue.code === "too_big") return [`${path} must be at most ${issue.maximum}.`];
  if (issue.code === "invalid_union") return [`${path} must be text such as "500m" or "256Mi", or a number.`];
  return [`${path} ${issue.message}.`];
}

function unknownKey(parent: string[], key: string): string {
  const candidates = keysAt(parent);
  const path = [...parent, key].join(".");
  const match = nearest(key, candidates);
  if (match !== undefined) return `${path} is not known. Did you mean "${[...parent, match].join(".")}"?`;
  return `${path} is not known. Known are ${candidates.join(", ")}.`;
}

/** The keys that the schema knows at a path. */
function keysAt(path: string[]): string[] {
  let schema: unknown = settingsSchema;
  for (const key of path) {
    if (schema instanceof z.ZodOptional) schema = schema.unwrap();
    if (schema instanceof z.ZodObject) schema = schema.shape[key];
  }
  if (schema instanceof z.ZodOptional) schema = schema.unwrap();
  return schema instanceof z.ZodObject ? Object.keys(schema.shape).filter((key) => key !== "$schema") : [];
}

const expectedNames: Record<string, string> = {
  string: "text",
  object: "an object",
  int: "a whole number",
  number: "a number",
};
const expected = (type: string): string => expectedNames[type] ?? type;

const kindOf = (value: unknown): string => {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return `text (${JSON.stringify(value)})`;
  return typeof value === "object" ? "an object" : String(value);
};
