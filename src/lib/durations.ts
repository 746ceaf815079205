import { AetherError } from "./errors.ts";

const units: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What `parseSince` takes, as one pattern, for documents. */
export const sincePattern =
  "^(\\d{1,9}[smhd]|\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\\d|2[0-8])T([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?Z)$";

/** The moment `since` names: a duration back from `now` (`30s`, `5m`, `2h`, `1d`) or an RFC 3339 time. */
export function parseSince(text: string, now: Date): Date {
  const match = /^(\d+)([smhd])$/.exec(text);
  if (match) return notBefore1970(now.getTime() - Number(match[1]) * (units[match[2] ?? "s"] ?? 1_000));
  const time = /^\d{4}-\d{2}-\d{2}T/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(time)) return notBefore1970(time);
  throw new AetherError("bad_request", `"${text}" is neither a duration nor a time.`, {
    hint: "Use 30s, 5m, 2h, 1d, or an RFC 3339 time such as 2026-01-31T12:00:00Z.",
  });
}

/** Nothing here is older, and databases know fewer years than dates do. */
const notBefore1970 = (time: number): Date => new Date(Math.max(0, time));

/** The seconds of `30s`, `5m`, `2h` or `90d`; undefined for anything else. */
export function durationSecs(text: string): number | undefined {
  const [, count, unit = "s"] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  return count === undefined ? undefined : (Number(count) * (units[unit] ?? 1_000)) / 1_000;
}

/** A duration for people: `840 ms`, `2.3 s`, `4 min`. */
export function formatMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${Math.round(ms / 60_000)} min`;
}
