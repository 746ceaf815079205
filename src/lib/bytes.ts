const units = ["B", "KB", "MB", "GB", "TB"];

/** A size in bytes for people: `1.4 MB`. Decimal units, as storage providers bill. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

const factors: Record<string, number> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** The bytes of `1500`, `10GB`, `1.5 MiB`; undefined for anything else, and for more than a number holds. */
export function parseBytes(text: string): number | undefined {
  const [, count, unit = ""] = /^(\d{1,16}(?:\.\d{1,6})?) ?([kmgt]?i?b)?$/i.exec(text) ?? [];
  const factor = factors[unit.toLowerCase()];
  if (count === undefined || factor === undefined) return undefined;
  const bytes = Math.round(Number(count) * factor);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
