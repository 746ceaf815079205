/** What `execute` answered, as rows: postgres.js gives an array, PGlite an object that holds one. */
export function rowsOf<Row>(result: unknown): Row[] {
  if (Array.isArray(result)) return result;
  if (typeof result === "object" && result !== null && "rows" in result && Array.isArray(result.rows)) {
    return result.rows;
  }
  throw new Error("The database driver answered neither an array nor an object with rows.");
}
