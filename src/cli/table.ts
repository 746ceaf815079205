/** Rows as aligned columns under a heading, for people. */
export function table(heading: string[], rows: string[][]): string {
  const widths = heading.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: string[]) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  return [heading, ...rows].map((cells) => `${line(cells).trimEnd()}\n`).join("");
}
