import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseJsonObject, readTextIfThere } from "../project/json-file.ts";
import { type BinaryTarget, parseBinaryTarget } from "./native-binary.ts";

/** The machine that applications run on. */
export interface Platform {
  os: string;
  arch: string;
  libc: string;
}

/** A package whose binaries all are for other machines. */
export interface Misfit {
  package: string;
  /** Such as `darwin-arm64`. */
  has: string[];
}

/**
 * Packages below `folder` with native modules of which none runs on `platform`. Packages often bring binaries for many
 * machines, in one package (`prebuilds/`) or one each (`@img/sharp-linux-x64`): one that fits is enough.
 */
export async function findMisfits(folder: string, platform: Platform): Promise<Misfit[]> {
  const groups = new Map<string, { packages: Set<string>; has: Set<string>; fits: boolean }>();
  for (const path of await listBinaries(folder, "")) {
    const name = packageOf(path);
    const target = parseBinaryTarget(await readFile(join(folder, path)));
    if (target === undefined || (await isForOthers(folder, path, platform))) continue;
    const key = withoutPlatform(name);
    const group = groups.get(key) ?? { packages: new Set(), has: new Set(), fits: false };
    group.packages.add(name);
    group.has.add(describeTarget(target));
    group.fits ||= runsOn(target, platform);
    groups.set(key, group);
  }
  const misfits = [...groups.values()].filter(({ fits }) => !fits);
  return misfits.map(({ packages, has }) => ({ package: [...packages].sort().join(", "), has: [...has].sort() }));
}

/** `linux-x64-glibc`, for people. */
export const describePlatform = ({ os, arch, libc }: Platform): string =>
  [os, arch, ...(libc === "none" ? [] : [libc])].join("-");

const describeTarget = ({ os, archs, libc }: BinaryTarget): string =>
  [os, archs.join("+"), ...(libc === undefined ? [] : [libc])].join("-");

function runsOn({ os, archs, libc }: BinaryTarget, platform: Platform): boolean {
  if (os !== platform.os || !archs.includes(platform.arch)) return false;
  return libc === undefined || platform.libc === "none" || libc === platform.libc;
}

async function listBinaries(folder: string, path: string): Promise<string[]> {
  const entries = await readdir(join(folder, path), { withFileTypes: true });
  const below = entries.map(async (entry) => {
    const child = path === "" ? entry.name : `${path}/${entry.name}`;
    if (entry.isDirectory()) return listBinaries(folder, child);
    return entry.isFile() && /\.(node|dylib|dll)$|\.so(\.\d+)*$/.test(entry.name) ? [child] : [];
  });
  return (await Promise.all(below)).flat();
}

const packagePath = /^(.*node_modules\/)?((?:@[^/]+\/)?[^/]+)(\/|$)/;

/** `node_modules/@img/sharp-linux-x64/lib/x.node` → `@img/sharp-linux-x64`. */
const packageOf = (path: string): string => packagePath.exec(path)?.[2] ?? path;

const platformWords =
  /(^|[-_/.])(linux|linuxmusl|linuxglibc|darwin|macos|win32|windows|freebsd|android|x64|x86|x86_64|amd64|ia32|arm|armv\d\w*|arm64|aarch64|universal|gnu|glibc|musl|gnueabihf|musleabihf|eabi|msvc|ppc64|ppc64le|riscv64|s390x|loong64)(?=$|[-_/.])/g;

/** The name that the packages of one module for several machines have in common. */
const withoutPlatform = (name: string): string => name.replace(platformWords, "$1").replace(/[-_/.]+$/g, "");

/** `fsevents` is for macOS by nature and optional everywhere: its package.json says so, and no counterpart exists. */
async function isForOthers(folder: string, path: string, platform: Platform): Promise<boolean> {
  const name = packageOf(path);
  if (withoutPlatform(name) !== name) return false;
  const root = packagePath.exec(path)?.[0].replace(/\/$/, "") ?? "";
  const text = await readTextIfThere(join(folder, root, "package.json"));
  const os = text === undefined ? undefined : parseJsonObject(text, `${root}/package.json`).os;
  return (
    Array.isArray(os) &&
    os.length > 0 &&
    !os.some((word) => word === platform.os || (String(word).startsWith("!") && word !== `!${platform.os}`))
  );
}
