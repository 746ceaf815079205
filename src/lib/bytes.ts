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
