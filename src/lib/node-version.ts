/** Whether a Node version (`20.11.1`) lies in a range. */
export function inRange(version: string, wanted: string): boolean {
  return Bun.semver.satisfies(version, wanted.replace(/(^|[\s|=<>^~-])v(?=\d)/g, "$1"));
}
