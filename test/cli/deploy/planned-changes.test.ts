import { expect, test } from "bun:test";
import { type Compared, plannedChanges } from "../../../src/cli/deploy/planned-changes.ts";
import type { ReleaseView } from "../../../src/core/wire.ts";

const manifest = (files: Record<string, string>) => ({
  files: Object.entries(files).map(([path, sha256]) => ({ path, sha256 })),
});

const release = {
  version: 7,
  digest: "old",
  status: "running",
  config: { start: "node server.js", port: 4000 },
  replicas: 2,
  variables: ["A", "GONE"],
} as ReleaseView;

const compared = (more: Partial<Compared> = {}) =>
  plannedChanges({
    packed: { digest: "new", config: { start: "node server.js" }, replicas: undefined, manifest: manifest({ a: "1" }) },
    release,
    before: manifest({ a: "1" }),
    variables: [],
    scale: null,
    locked: null,
    ...more,
  });

test("packages are told apart from files: those that come, go, and change", () => {
  const before = manifest({
    "server.js": "1",
    "gone.js": "1",
    "node_modules/left/package.json": "1",
    "node_modules/left/index.js": "1",
    "node_modules/@scope/kept/package.json": "1",
    "node_modules/a/node_modules/inner/index.js": "1",
    "node_modules/.bin/x": "1",
  });
  const after = manifest({
    "server.js": "2",
    "new.js": "1",
    "node_modules/come/package.json": "1",
    "node_modules/@scope/kept/package.json": "2",
    "node_modules/a/node_modules/inner/index.js": "2",
    "node_modules/.bin/x": "2",
  });
  const packed = { digest: "new", config: { start: "node server.js" }, replicas: undefined, manifest: after };
  expect(compared({ packed, before })).toMatchObject({
    same_artifact: false,
    files: {
      added: ["new.js", "node_modules/come/package.json"],
      removed: ["gone.js", "node_modules/left/package.json", "node_modules/left/index.js"],
      changed: [
        "server.js",
        "node_modules/@scope/kept/package.json",
        "node_modules/a/node_modules/inner/index.js",
        "node_modules/.bin/x",
      ],
    },
    packages: { added: ["come"], removed: ["left"], changed: ["@scope/kept", "inner"] },
  });
});

test("what runs and is not known here is only said to be another", () => {
  expect(compared({ before: undefined })).toMatchObject({ same_artifact: false, files: null, packages: null });
});

test("a scale hides the number of replicas in the configuration", () => {
  const port = { name: "port", before: 4000, after: null };
  expect(compared().configuration).toEqual([port, { name: "replicas", before: 2, after: 1 }]);
  expect(compared({ scale: 3 }).configuration).toEqual([port]);
});

test("variables are told by name, or not at all when the server cannot open them", () => {
  const variables = [{ name: "A", value: null, updated_at: "", updated_by: "" }];
  expect(compared({ variables }).variables).toEqual({ added: [], removed: ["GONE"] });
  expect(compared({ variables, release: { ...release, variables: null } }).variables).toBeNull();
  expect(compared({ variables, release: undefined })).toMatchObject({ against: null, variables: { added: ["A"] } });
});
