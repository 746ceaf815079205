import { appendFileSync } from "node:fs";

/** A part of the machine that only some tests need: a database server, an object store, a cluster, tools. */
export interface Tier {
  readonly name: string;
  readonly available: boolean;
  /** Why the tests of this tier are skipped. */
  readonly reason: string | undefined;
}

const said = new Set<string>();

/**
 * The tier `name`, unavailable when `missing` gives a reason. The reason goes to stderr once a process, as
 * `SKIP <tier>: <reason>`. A tier listed in AETHER_TEST_SKIP is left out. A tier listed in AETHER_TEST_REQUIRE must be there: a reason is then an error.
 */
export function tier(name: string, missing: () => string | undefined): Tier {
  const reason = isListed(process.env.AETHER_TEST_SKIP, name) ? "left out by AETHER_TEST_SKIP" : missing();
  if (reason === undefined) return { name, available: true, reason: undefined };
  if (isDemanded(name)) {
    throw new Error(`AETHER_TEST_REQUIRE demands ${name}: ${reason}`);
  }
  if (!said.has(name)) say(`${name}: ${reason}`);
  said.add(name);
  return { name, available: false, reason };
}

/** Whether AETHER_TEST_REQUIRE names it. */
export const isDemanded = (name: string): boolean => isListed(process.env.AETHER_TEST_REQUIRE, name);

const isListed = (list: string | undefined, name: string): boolean => (list ?? "").split(/[ ,]+/).includes(name);

/** To stderr, and to the file that scripts/test prints its summary from. */
function say(line: string): void {
  process.stderr.write(`SKIP ${line}\n`);
  const { AETHER_TEST_SKIPS: summary } = process.env;
  if (summary !== undefined) appendFileSync(summary, `${line}\n`);
}
