import { expect, test } from "bun:test";
import { AetherError } from "../../src/lib/errors.ts";
import { storageProbe } from "../../src/pollers/storage-probe.ts";
import { createHarness } from "../harness/control-plane.ts";

const signal = new AbortController().signal;

test("a store is probed once, and again only while it cannot be asked", async () => {
  await using aether = await createHarness();
  let asked = 0;
  const probe = async () => {
    asked += 1;
    if (asked === 1) throw new AetherError("service_unavailable", "not now");
    return { refusesOtherBytes: true, refusesSecondPut: true };
  };
  const poller = storageProbe(aether.control, probe, 1);
  await expect(poller.tick(signal)).rejects.toThrow("not now");
  for (const _ of [1, 2, 3]) await poller.tick(signal);
  expect(asked).toBe(2);
  expect(aether.lines.join("")).toContain("probed the artifact storage");
  expect(aether.lines.join("")).not.toContain('"warn"');
});

test.each([
  [{ refusesOtherBytes: false, refusesSecondPut: true }, ["every upload is hashed"]],
  [{ refusesOtherBytes: true, refusesSecondPut: false }, ["ignores if-none-match"]],
  [{ refusesOtherBytes: false, refusesSecondPut: false }, ["every upload is hashed", "ignores if-none-match"]],
])("what a store does not refuse is a warning in the log: %p", async (found, warnings) => {
  await using aether = await createHarness();
  await storageProbe(aether.control, async () => found, 1).tick(signal);
  const logged = aether.lines.filter((line) => line.includes('"level":"warn"'));
  expect(logged).toHaveLength(warnings.length);
  for (const warning of warnings) expect(logged.join("")).toContain(warning);
});
