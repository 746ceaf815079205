import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { Glob } from "bun";

const source = join(import.meta.dir, "..", "src");

/** Who may import whom (ARCHITECTURE.md, "Folders"). A folder always imports itself. */
const allowed: Record<string, string[]> = {
  lib: [],
  core: ["lib"],
  artifact: ["core", "lib"],
  storage: ["core", "lib"],
  db: ["core", "lib"],
  telemetry: ["core", "lib"],
  config: ["core", "lib"],
  k8s: ["core", "lib"],
  agent: ["artifact", "core", "lib"],
  runtime: ["k8s", "core", "lib", "telemetry"],
  control: ["storage", "db", "runtime", "telemetry", "config", "core", "lib"],
  pollers: ["control", "telemetry", "core", "lib"],
  server: ["control", "telemetry", "config", "storage", "docs", "core", "lib"],
  serve: ["server", "control", "pollers", "runtime", "k8s", "db", "storage", "telemetry", "config", "core", "lib"],
  docs: [],
  cli: ["artifact", "config", "core", "lib"],
};

/** Files that compose across folders; each is loaded lazily. */
const composers = new Set(["main.ts", "cli/commands/serve.ts"]);

/** The rooms of `artifact`; what is unpacked runs in a pod, so that room stands alone and the agent may enter no other. */
const artifactRooms: Record<string, string[]> = {
  project: [],
  install: ["project"],
  preflight: ["project", "install", "pack"],
  pack: ["unpack"],
  unpack: [],
};

const files = [...new Glob("**/*.ts").scanSync(source)].sort();

const imports = files.flatMap((file) => {
  const text = readFileSync(join(source, file), "utf8");
  const found = text.matchAll(/(?:from|import)\s*\(?\s*["'](\.[^"']+|bun(?::[a-z]+)?)["']/g);
  return [...found].map(([, path = ""]) => ({
    file,
    target: path.startsWith(".") ? normalize(join(dirname(file), path)) : path,
  }));
});

const roomOf = (path: string): string => path.split("/")[0] ?? "";

test("every folder of src has a rule", () => {
  const folders = readdirSync(source, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.map((entry) => entry.name).filter((name) => allowed[name] === undefined)).toEqual([]);
});

test("a file imports only from the folders its own may use", () => {
  const broken = imports
    .filter(({ file, target }) => !composers.has(file) && !target.startsWith("bun") && !target.startsWith(".."))
    .filter(({ file, target }) => roomOf(file) !== roomOf(target))
    .filter(({ file, target }) => !(allowed[roomOf(file)] ?? []).includes(roomOf(target)));
  expect(broken).toEqual([]);
});

test("the rooms of artifact import only from those their own may use", () => {
  const roomIn = (path: string): string => path.split("/")[1] ?? "";
  const broken = imports
    .filter(({ file, target }) => roomOf(file) === "artifact" && roomOf(target) === "artifact")
    .filter(({ file, target }) => roomIn(file) !== roomIn(target))
    .filter(({ file, target }) => !(artifactRooms[roomIn(file)] ?? []).includes(roomIn(target)));
  expect(broken).toEqual([]);
});

test("the agent uses only the unpacking side of artifact", () => {
  const broken = imports.filter(
    ({ file, target }) =>
      roomOf(file) === "agent" && roomOf(target) === "artifact" && !target.startsWith("artifact/unpack/"),
  );
  expect(broken).toEqual([]);
});

test("what runs in a pod is plain Node: no Bun", () => {
  const podSide = files.filter((file) => roomOf(file) === "agent" || file.startsWith("artifact/unpack/"));
  const broken = podSide.filter((file) => {
    const text = readFileSync(join(source, file), "utf8");
    return /\bBun\.|from "bun/.test(text);
  });
  expect(broken).toEqual([]);
});

test("the environment is read in config/ and main.ts only", () => {
  const readers = files.filter((file) => {
    const text = readFileSync(join(source, file), "utf8");
    return (
      /process\.env|Bun\.env/.test(text) && roomOf(file) !== "config" && file !== "main.ts" && roomOf(file) !== "agent"
    );
  });
  expect(readers).toEqual([]);
});

test("nothing calls process.exit, and only main.ts sets the exit code", () => {
  const broken = files.filter((file) => {
    const text = readFileSync(join(source, file), "utf8");
    return /process\.exit\(|process\.exitCode\s*=/.test(text) && file !== "main.ts" && roomOf(file) !== "agent";
  });
  expect(broken).toEqual([]);
});
