const version = String.raw`v?(\d+|[xX*])(\.(\d+|[xX*]))?(\.(\d+|[xX*]))?(-[\w.-]+)?(\+[\w.-]+)?`;
const comparator = String.raw`(>=|<=|>|<|=|\^|~>?)?\s*${version}`;
const set = String.raw`(${comparator}(\s*,?\s+${comparator})*|${version}\s+-\s+${version})`;
const range = new RegExp(String.raw`^\s*(${set})?(\s*\|\|\s*(${set})?)*\s*$`);

/** Whether `text` is a semver range; `Bun.semver` takes anything and says yes. */
export function isSemverRange(text: string): boolean {
  return range.test(text);
}

const ltsNames: Record<string, number> = {
  argon: 4,
  boron: 6,
  carbon: 8,
  dubnium: 10,
  erbium: 12,
  fermium: 14,
  gallium: 16,
  hydrogen: 18,
  iron: 20,
  jod: 22,
  krypton: 24,
};

/**
 * The range behind a version pin of `.nvmrc`, `.node-version` or Volta: its major line. Such a pin says what people
 * develop with; a platform that is one patch behind must not be refused for it. `lts/*` and `node` ask for nothing.
 */
export function rangeOfPin(pin: string): string | undefined {
  const text = pin.replace(/#.*/g, "").trim().toLowerCase();
  const major = /^v?(\d+)(\.|$)/.exec(text)?.[1] ?? ltsNames[text.replace(/^lts\//, "")];
  return major === undefined ? undefined : `${major}.x`;
}
