import { expect, test } from "bun:test";
import { makeMember } from "../../../src/artifact/pack/member.ts";
import { createMemberPool } from "../../../src/artifact/pack/member-pool.ts";
import { AetherError } from "../../../src/lib/errors.ts";
import { words } from "../../harness/sample-tree.ts";

test("workers make what this thread would, in any number at once", async () => {
  const pool = createMemberPool({ level: 3 }, 3);
  const inputs = Array.from({ length: 20 }, (_, index) => Buffer.from(words(index, 50_000)));
  const made = await Promise.all(inputs.map((bytes) => pool.make({ bytes: new Uint8Array(bytes) })));
  expect(made).toEqual(inputs.map((bytes) => makeMember({ bytes }, { level: 3 })));
  pool.close();
});

test("an error in a worker comes out as what it was", async () => {
  const pool = createMemberPool({ level: 3 }, 1);
  const entry = {
    kind: "file" as const,
    path: "gone.js",
    source: "/nowhere/gone.js",
    size: 1,
    executable: false,
    target: "",
  };
  const failure = await pool.make({ entries: [entry] }).catch((error) => error);
  expect(failure).toBeInstanceOf(AetherError);
  expect(failure).toMatchObject({ code: "preflight_failed", hint: expect.stringContaining(".aetherignore") });
  expect((await pool.make({ bytes: new Uint8Array(3) })).rawBytes).toBe(3); // the worker lives on
  pool.close();
});
