// Compiles the binary: `bun build.ts` for this machine (dist/aether), `bun build.ts --all` for every target of a release
// (dist/release/, with checksums), `bun build.ts --test-build` for one that kills itself where a test tells it to
// (dist/aether-test). Needs what scripts/setup prepares.
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { $ } from "bun";
import { version } from "./package.json";
import { signAdHoc } from "./scripts/darwin/sign.ts";
import { verifySignature } from "./scripts/darwin/verify-signature.ts";

const targets = [
  { os: "linux", arch: "x64" },
  { os: "linux", arch: "arm64" },
  { os: "darwin", arch: "x64" },
  { os: "darwin", arch: "arm64" },
] as const;

const root = import.meta.dir;
const commit = await currentCommit();

if (process.argv.includes("--all")) await buildRelease();
else if (process.argv.includes("--test-build"))
  await compile({ outfile: join(root, "dist", "aether-test"), isTestBuild: true });
else await compile({ outfile: join(root, "dist", "aether") });

async function buildRelease(): Promise<void> {
  const folder = join(root, "dist", "release");
  await rm(folder, { recursive: true, force: true });
  const sums: string[] = [];
  for (const { os, arch } of targets) {
    const outfile = join(folder, `aether-${version}-${os}-${arch}`);
    await compile({ outfile, target: `bun-${os}-${arch}` });
    sums.push(
      `${createHash("sha256")
        .update(await readFile(outfile))
        .digest("hex")}  ${basename(outfile)}\n`,
    );
  }
  await writeFile(join(folder, "SHA256SUMS"), sums.join(""));
}

interface Compilation {
  outfile: string;
  target?: Bun.Build.CompileTarget;
  isTestBuild?: boolean;
}

async function compile({ outfile, target, isTestBuild = false }: Compilation): Promise<void> {
  await mkdir(join(outfile, ".."), { recursive: true });
  const result = await Bun.build({
    // Workers are loaded by their paths in the binary, so each is an entry point of its own; what is run stands first.
    entrypoints: [
      join(root, "src/main.ts"),
      join(root, "src/artifact/pack/member-worker.ts"),
      join(root, "src/artifact/pack/artifact-worker.ts"),
    ],
    format: "esm",
    // Each command is a chunk of its own, so that a cold start reads only what it runs.
    splitting: true,
    minify: { whitespace: true, syntax: true },
    define: {
      AETHER_VERSION: JSON.stringify(version),
      AETHER_COMMIT: JSON.stringify(commit),
      AETHER_TEST_BUILD: JSON.stringify(isTestBuild),
    },
    compile: {
      outfile: `${outfile}.part`,
      ...(target === undefined ? {} : { target }),
      // The folder a user stands in must not configure us.
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
  });
  if (!result.success) throw new AggregateError(result.logs, `${basename(outfile)} did not compile`);
  if (target?.startsWith("bun-darwin")) await signForMac(`${outfile}.part`);
  await rename(`${outfile}.part`, outfile);
  console.error(`built ${outfile.slice(root.length + 1)} (${version}, ${commit})`);
}

/** macOS kills a binary whose signature does not match; Bun leaves such a one on x64. */
async function signForMac(path: string): Promise<void> {
  const signed = signAdHoc(await readFile(path));
  const { problems } = verifySignature(signed);
  if (problems.length > 0) throw new Error(`${basename(path)} is not signed well: ${problems.join("; ")}`);
  await writeFile(path, signed);
}

async function currentCommit(): Promise<string> {
  const head = await $`git rev-parse --short=12 HEAD`.cwd(root).quiet().nothrow();
  if (head.exitCode !== 0) return "unknown";
  const dirty = await $`git status --porcelain`.cwd(root).quiet().nothrow();
  return `${head.text().trim()}${dirty.text().trim() === "" ? "" : "-dirty"}`;
}
