/** Numbers from 0 to 1 that a seed fixes (mulberry32): a test that fails prints its seed, and fails again with it. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The seed of this run: fixed, so that what passed passes again; chance in full runs; AETHER_TEST_SEED repeats one. */
export function testSeed(): number {
  const { AETHER_TEST_SEED: given, AETHER_TEST_FULL: full } = process.env;
  return given !== undefined ? Number(given) : full === "1" ? Math.floor(Math.random() * 2 ** 31) : 20_261_121;
}
