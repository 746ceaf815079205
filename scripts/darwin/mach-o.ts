export interface Segment {
  name: string;
  /** Where its load command stands. */
  command: number;
  fileOffset: number;
  fileSize: number;
}

export interface MachO {
  arch: "x64" | "arm64";
  segments: Segment[];
  /** What LC_CODE_SIGNATURE says, and where. */
  signature: { command: number; offset: number; size: number } | undefined;
}

const magic64 = 0xfeedfacf;
const archs: Record<number, MachO["arch"]> = { 16777223: "x64", 16777228: "arm64" };
const commands = { segment64: 0x19, codeSignature: 0x1d };
const headerBytes = 32;

/** Offsets inside a 64-bit segment command, for who changes one. */
export const segmentFields = { vmSize: 32, fileSize: 48 };

/** Reads the header and load commands of a thin 64-bit Mach-O file. */
export function parseMachO(file: Buffer): MachO {
  if (file.length < headerBytes || file.readUInt32LE(0) !== magic64) throw new Error("not a thin 64-bit Mach-O file");
  const arch = archs[file.readUInt32LE(4)];
  if (arch === undefined) throw new Error("neither x86_64 nor arm64");
  const segments: Segment[] = [];
  let signature: MachO["signature"];
  let at = headerBytes;
  for (let left = file.readUInt32LE(16); left > 0; left -= 1) {
    const size = file.readUInt32LE(at + 4);
    if (size < 8 || at + size > file.length) throw new Error("a load command reaches beyond the file");
    const command = file.readUInt32LE(at);
    if (command === commands.segment64) segments.push(parseSegment(file, at));
    if (command === commands.codeSignature) {
      if (signature !== undefined) throw new Error("it has two LC_CODE_SIGNATURE commands");
      signature = { command: at, offset: file.readUInt32LE(at + 8), size: file.readUInt32LE(at + 12) };
    }
    at += size;
  }
  return { arch, segments, signature };
}

function parseSegment(file: Buffer, command: number): Segment {
  const name = file.toString("latin1", command + 8, command + 24).replace(/\0+$/, "");
  const [fileOffset, fileSize] = [file.readBigUInt64LE(command + 40), file.readBigUInt64LE(command + 48)];
  return { name, command, fileOffset: Number(fileOffset), fileSize: Number(fileSize) };
}
