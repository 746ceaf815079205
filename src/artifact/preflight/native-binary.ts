/** The machine a compiled binary runs on; `libc` only where the binary binds to one. */
export interface BinaryTarget {
  os: "linux" | "darwin" | "win32";
  /** As in `process.arch`; several in a universal binary of macOS. */
  archs: string[];
  libc?: "glibc" | "musl";
}

const elfMachines: Record<number, string> = {
  3: "ia32",
  8: "mips",
  21: "ppc64",
  22: "s390x",
  40: "arm",
  62: "x64",
  183: "arm64",
  243: "riscv64",
  258: "loong64",
};
const machCpus: Record<number, string> = { 16777223: "x64", 16777228: "arm64", 7: "ia32", 12: "arm" };
const peMachines: Record<number, string> = { 332: "ia32", 34404: "x64", 43620: "arm64" };

/** What an ELF, Mach-O or PE file was made for; undefined for anything else. */
export function parseBinaryTarget(bytes: Uint8Array): BinaryTarget | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 64) return undefined;
  const magic = file.readUInt32BE(0);
  if (magic === 0x7f45_4c46) return elfTarget(file);
  if (magic === 0xcffa_edfe || magic === 0xcefa_edfe) return machTarget([file.readUInt32LE(4)]);
  if (magic === 0xcafe_babe) return machTarget(universalCpus(file));
  return magic >>> 16 === 0x4d5a ? peTarget(file) : undefined;
}

function elfTarget(file: Buffer): BinaryTarget {
  const machine = file[5] === 2 ? file.readUInt16BE(18) : file.readUInt16LE(18);
  const libc = elfLibc(file);
  return {
    os: "linux",
    archs: [elfMachines[machine] ?? `machine ${machine}`],
    ...(libc === undefined ? {} : { libc }),
  };
}

/** The name of the C library stands in the file when it is linked to one: `libc.musl-x86_64.so.1` or `libc.so.6`. */
function elfLibc(file: Buffer): "glibc" | "musl" | undefined {
  if (file.includes("libc.musl-") || file.includes("ld-musl-")) return "musl";
  return file.includes("libc.so.6") ? "glibc" : undefined;
}

const machTarget = (cpus: number[]): BinaryTarget => ({
  os: "darwin",
  archs: cpus.map((cpu) => machCpus[cpu] ?? `cpu ${cpu}`),
});

function universalCpus(file: Buffer): number[] {
  const count = Math.min(file.readUInt32BE(4), 8);
  const offsets = Array.from({ length: count }, (_, index) => 8 + index * 20);
  return offsets.filter((offset) => offset + 4 <= file.length).map((offset) => file.readUInt32BE(offset));
}

function peTarget(file: Buffer): BinaryTarget | undefined {
  const header = file.readUInt32LE(0x3c);
  if (header + 6 > file.length || file.readUInt32BE(header) !== 0x5045_0000) return undefined;
  const machine = file.readUInt16LE(header + 4);
  return { os: "win32", archs: [peMachines[machine] ?? `machine ${machine}`] };
}
