import { deflateRawSync, gzipSync } from "node:zlib";
import type { RefusalRule } from "../../../src/artifact/unpack/refusal.ts";
import type { UnpackLimits } from "../../../src/artifact/unpack/unpack-limits.ts";
import {
  archive,
  endMark,
  file,
  folder,
  gnuLong,
  header,
  link,
  longFile,
  manifest,
  padded,
  pax,
  sha256,
  tarOf,
} from "../../harness/tar-archive.ts";

/** An archive that must be refused: what is wrong, the rule that says so, and its bytes. */
export type HostileArchive = [what: string, rule: RefusalRule, bytes: Uint8Array, limits?: Partial<UnpackLimits>];

const gnu = "ustar  \0";
const a = file("a", "a");
const many = (count: number, make: (index: number) => Uint8Array): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => make(i));
const deep = (depth: number): string => `${"d/".repeat(depth)}f`;
const emptyMember = gzipSync("");
const flipped = (bytes: Uint8Array, at: number, bit = 1): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  const index = at < 0 ? copy.length + at : at;
  copy[index] = (copy[index] ?? 0) ^ bit;
  return copy;
};

/** A gzip member with header fields of its own. */
const member = (flag: number, fields: Uint8Array): Buffer => {
  const data = tarOf(a);
  const trailer = gzipSync(data).subarray(-8);
  const head = Buffer.from([0x1f, 0x8b, 8, flag, 0, 0, 0, 0, 0, 3]);
  return Buffer.concat([head, fields, deflateRawSync(data), trailer]);
};

/** `test/../reliability` B1: names. */
const names: HostileArchive[] = [
  ["parent", "path_traversal", archive(file("../x"))],
  ["parent in the middle", "path_traversal", archive(file("a/../../x"))],
  ["parent that comes back", "path_traversal", archive(file("a/../x"))],
  ["parent alone", "path_traversal", archive(file(".."))],
  ["parent as a folder", "path_traversal", archive(folder("../"))],
  ["parent behind ./", "path_traversal", archive(file("./../x"))],
  ["parent in the prefix", "path_traversal", archive(file("x", "x", { prefix: ".." }))],
  ["parent in PAX", "path_traversal", archive(pax({ path: "../x" }), a)],
  ["parent in a GNU long name", "path_traversal", archive(gnuLong("L", "../x"), a)],
  ["absolute", "path_absolute", archive(file("/abs"))],
  ["absolute behind ./", "path_absolute", archive(file(".//abs"))],
  ["absolute in PAX", "path_absolute", archive(pax({ path: "/abs" }), a)],
  ["the root of the machine", "path_absolute", archive(folder("/"))],
  ["drive", "path_drive", archive(file("C:\\x"))],
  ["drive with a slash", "path_drive", archive(file("C:/x"))],
  ["drive-relative", "path_drive", archive(file("c:../x"))],
  ["drive behind ./", "path_drive", archive(file("./c:x"))],
  ["UNC", "path_backslash", archive(file("\\\\host\\s"))],
  ["backslash parent", "path_backslash", archive(file("a\\..\\..\\x"))],
  ["NUL in a PAX name", "path_control", archive(pax({ path: "a\0b" }), a)],
  ["bytes behind the NUL of a name", "tar_format", archive(file("a\0b"))],
  ["empty name", "path_empty", archive(file(""))],
  ["empty part", "path_component", archive(file("a//b"))],
  ["dot", "path_component", archive(file("."))],
  ["dot in the middle", "path_component", archive(file("a/./b"))],
  ["two leading dots-slash", "path_component", archive(file("././a"))],
  ["file with a trailing slash", "path_component", archive(file("a/"))],
  ["trailing dot", "path_trailing", archive(file("a."))],
  ["three dots", "path_trailing", archive(file("a/.../b"))],
  ["trailing space", "path_trailing", archive(file("a /b"))],
  ["300-byte name", "path_too_long", archive(longFile("n".repeat(300), "x"))],
  ["300-byte name of 100 characters", "path_too_long", archive(longFile("日".repeat(100), "x"))],
  ["5 KB path in PAX", "path_too_long", archive(longFile("n/".repeat(2500), "x"))],
  ["5 KB path as GNU long name", "path_too_long", archive(gnuLong("L", "n/".repeat(2500)), a)],
  ["2,000 folders deep", "path_too_long", archive(longFile(deep(2000), "x"))],
  ["500 folders deep", "path_too_deep", archive(longFile(deep(500), "x"))],
  ["newline", "path_control", archive(file("a\nb"))],
  ["escape sequence", "path_control", archive(file("a\u001b[2Jb"))],
  ["C1 control", "path_control", archive(file("a\u009bb"))],
];

/** B2: links. */
const links: HostileArchive[] = [
  ["file through a link", "through_link", archive(link("up", "a"), file("up/x"))],
  ["file through a link outside", "through_link", archive(link("up", "../.."), file("up/x"))],
  ["folder through a link", "through_link", archive(folder("a"), link("up", "a"), folder("up/x"))],
  ["link through a link", "through_link", archive(folder("a"), link("up", "a"), link("up/x", "y"))],
  ["link over a folder in use", "kind_conflict", archive(file("up/x"), link("up", "a"))],
  ["link over a file", "kind_conflict", archive(a, link("a", "b"))],
  ["file over a link (write through)", "kind_conflict", archive(link("a", "b"), a)],
  ["absolute", "link_absolute", archive(link("l", "/etc/passwd"))],
  ["absolute in PAX", "link_absolute", archive(pax({ linkpath: "/etc/passwd" }), link("l", "a"))],
  ["absolute as GNU long link", "link_absolute", archive(gnuLong("K", "/etc/passwd"), link("l", "a"))],
  ["parent", "link_escape", archive(link("l", "../x"))],
  ["parent of a folder", "link_escape", archive(link("d/e/l", "../../../x"))],
  ["out and in again", "link_escape", archive(link("l", "../release/x"), a)],
  ["chain up, then further up", "link_escape", archive(link("d/e/f/up", "../.."), link("d/e/f/x", "up/../../y"))],
  [
    "chain that only leads out when followed",
    "link_escape",
    archive(link("a/b/l", "../../z"), folder("z"), link("a/b/k", "l/../../q")),
  ],
  [
    "chain, outer link first",
    "link_escape",
    archive(link("a/b/k", "l/../../q"), link("a/b/l", "../../z"), folder("z")),
  ],
  [
    "chain and hard link through it (CVE-2026-26960)",
    "hard_link",
    archive(link("up", "a"), header({ name: "up/x", type: "1", link: "a" })),
  ],
  ["hard link", "hard_link", archive(a, header({ name: "h", type: "1", link: "a" }))],
  ["absolute hard link (CVE-2026-23745)", "hard_link", archive(header({ name: "h", type: "1", link: "/etc/passwd" }))],
  ["hard link with .. (CVE-2026-24842)", "hard_link", archive(header({ name: "h", type: "1", link: "d/../../x" }))],
  ["loop of one", "link_loop", archive(link("l", "l"))],
  ["loop of two", "link_loop", archive(link("l", "m"), link("m", "l"))],
  ["loop through a folder", "link_loop", archive(link("d/l", "../e/m/x"), link("e/m", "../d/l"))],
  ["the whole release", "link_to_root", archive(link("l", "."))],
  ["the whole release from below", "link_to_root", archive(link("d/l", ".."))],
  ["the whole release by a chain", "link_to_root", archive(link("d/l", "../e"), folder("e"), link("k", "d/l/.."))],
  ["empty target", "link_target", archive(link("l", ""))],
  ["target too long", "link_target", archive(pax({ linkpath: "x/".repeat(2000) }), link("l", "a"))],
  ["NUL in the target", "path_control", archive(pax({ linkpath: "a\0b" }), link("l", "a"))],
  ["newline in the target", "path_control", archive(link("l", "a\nb"))],
  ["backslash in the target", "path_backslash", archive(link("l", "..\\x"))],
  ["invalid UTF-8 in the target", "path_encoding", archive(link("l", Buffer.from([0x61, 0xff])))],
  [
    "a web of links that takes long to follow",
    "limit_links",
    archive(
      ...many(2000, (i) =>
        Buffer.concat([pax({ path: `${"d/".repeat(100)}${i}`, linkpath: "a/../".repeat(400) }), link("l", "a")]),
      ),
    ),
  ],
  ["link for the metadata folder", "path_reserved", archive(folder("m"), link(".aether", "m"))],
  ["link for the manifest", "path_reserved", archive(a, link(".aether/manifest.json", "../a"))],
];

/** B3: Unicode. */
const unicode: HostileArchive[] = [
  ["NFC and NFD twins", "name_twin", archive(file("caf\u00e9"), file("cafe\u0301"))],
  ["twin folders", "name_twin", archive(file("caf\u00e9/a"), file("cafe\u0301/b"))],
  ["twin of a folder as a link", "name_twin", archive(file("caf\u00e9/a"), link("cafe\u0301", "b"))],
  ["twin by a singleton (ångström sign)", "name_twin", archive(file("\u212b"), file("\u00c5"))],
  ["right-to-left override", "path_bidi", archive(file("gnp\u202esj.exe"))],
  ["bidi isolate", "path_bidi", archive(file("a\u2066b"))],
  ["invalid UTF-8", "path_encoding", archive(file(Buffer.from([0x61, 0xff, 0x62])))],
  ["overlong slash", "path_encoding", archive(file(Buffer.from([0x2e, 0x2e, 0xc0, 0xaf, 0x78])))],
  ["surrogate in UTF-8", "path_encoding", archive(file(Buffer.from([0xed, 0xa0, 0x80])))],
  ["invalid UTF-8 in PAX", "path_encoding", archive(pax({ path: Buffer.from([0x61, 0xff]) }), a)],
  ["truncated UTF-8", "path_encoding", archive(file(Buffer.from([0xe6, 0x97])))],
];

/** B4: kinds of entries. */
const kinds: HostileArchive[] = [
  ["file twice", "duplicate", archive(a, a)],
  ["file twice, once with ./", "duplicate", archive(a, file("./a"))],
  ["folder twice", "duplicate", archive(folder("d"), folder("d/"))],
  ["link twice", "duplicate", archive(link("l", "a"), link("l", "a"))],
  ["file, then folder", "kind_conflict", archive(a, folder("a"))],
  ["folder, then file", "kind_conflict", archive(folder("a"), a)],
  ["file, then a file below it", "kind_conflict", archive(a, file("a/b"))],
  ["implied folder, then file", "kind_conflict", archive(file("a/b"), a)],
  ...(["3", "4", "6", "7", "g", "D", "M", "S", "V", "A", "N", "X", "Z", "8", "s", "\u007f"] as const).map(
    (type): HostileArchive => [`type ${JSON.stringify(type)}`, "entry_type", archive(header({ name: "n", type }))],
  ),
  ["sparse by PAX 0.1", "pax_key", archive(pax({ "GNU.sparse.major": "0", "GNU.sparse.map": "0,1" }), a)],
  ["sparse by PAX 1.0", "pax_key", archive(pax({ "GNU.sparse.realsize": "99999" }), a)],
  ["SCHILY.realsize", "pax_key", archive(pax({ "SCHILY.realsize": "99999" }), a)],
  ["SCHILY.filetype", "pax_key", archive(pax({ "SCHILY.filetype": "hardlink" }), a)],
  ["hdrcharset", "pax_key", archive(pax({ hdrcharset: "BINARY" }), a)],
  ["unknown key", "pax_key", archive(pax({ "ACME.rename": "x" }), a)],
  ["folder with bytes", "entry_size", archive(folder("d", { size: 512 }), padded("x"))],
  ["link with bytes", "entry_size", archive(header({ name: "l", type: "2", link: "a", size: 512 }), padded("x"))],
  ["the unpacked marker", "path_reserved", archive(file(".aether/unpacked.json", "{}"))],
  ["the unpacked marker in another case", "path_reserved", archive(file(".AETHER/Unpacked.json", "{}"))],
  ["a file for the metadata folder", "path_reserved", archive(file(".aether"))],
];

const paxRaw = (body: string): Buffer => file("PaxHeaders/x", body, { type: "x" });
const sized = (field: string | Uint8Array): Buffer =>
  Buffer.concat([header({ name: "a", patch: [[124, field]] }), padded("a")]);

/** B5: two readings of one archive. */
const readings: HostileArchive[] = [
  [
    "PAX size above the header's (CVE-2025-62518)",
    "pax_size_mismatch",
    archive(pax({ size: "1024" }), header({ name: "a", size: 0 }), file("inner", "x")),
  ],
  ["PAX size below the header's", "pax_size_mismatch", archive(pax({ size: "0" }), file("a", padded(file("inner"))))],
  ["PAX size for a folder", "pax_size_mismatch", archive(pax({ size: "512" }), folder("d"), a)],
  [
    "PAX before a GNU long name (GHSA-3pv8-6f4r-ffg2)",
    "extension_order",
    archive(pax({ path: "b" }), gnuLong("L", "c"), a),
  ],
  ["GNU long name before PAX", "extension_order", archive(gnuLong("L", "c"), pax({ path: "b" }), a)],
  ["PAX without effect before a GNU long name", "extension_order", archive(pax({ mtime: "1" }), gnuLong("L", "c"), a)],
  ["two PAX headers", "extension_order", archive(pax({ path: "b" }), pax({ path: "c" }), a)],
  ["two GNU long names", "extension_order", archive(gnuLong("L", "b"), gnuLong("L", "c"), a)],
  ["PAX at the end", "extension_order", archive(a, pax({ path: "b" }))],
  ["PAX path twice", "pax_invalid", archive(paxRaw("10 path=b\n10 path=c\n"), a)],
  ["PAX empty path", "pax_invalid", archive(pax({ path: "" }), a)],
  ["PAX length too long", "pax_invalid", archive(paxRaw("99 path=b\n"), a)],
  ["PAX length too short", "pax_invalid", archive(paxRaw("9 path=bcd\n"), a)],
  ["PAX length zero", "pax_invalid", archive(paxRaw("0 path=b\n"), a)],
  ["PAX length with a sign", "pax_invalid", archive(paxRaw("+10 path=b\n"), a)],
  ["PAX without a key", "pax_invalid", archive(paxRaw("8 path\n "), a)],
  ["PAX without a newline", "pax_invalid", archive(paxRaw("9 path=bb"), a)],
  ["PAX newline trick", "pax_invalid", archive(paxRaw("5 a\n\n12 path=xyz\n"), a)],
  ["PAX empty", "extension_too_large", archive(header({ name: "p", type: "x" }), a)],
  ["PAX of 1 MB", "extension_too_large", archive(pax({ comment: "c".repeat(1_000_000) }), a)],
  ["PAX size negative", "tar_number", archive(pax({ size: "-1" }), a)],
  ["PAX size hexadecimal", "tar_number", archive(pax({ size: "0x1" }), a)],
  ["PAX time that is no number", "tar_number", archive(pax({ mtime: "1.5x" }), a)],
  ["PAX size beyond 64 bit", "tar_number", archive(pax({ size: "18446744073709551617" }), a)],
  [
    "GNU long name without an end",
    "extension_order",
    archive(file("././@LongLink", "abc", { type: "L", magic: gnu }), a),
  ],
  [
    "GNU long name with two ends",
    "extension_order",
    archive(file("././@LongLink", "abc\0def\0", { type: "L", magic: gnu }), a),
  ],
  ["size negative", "tar_number", archive(sized("-0000000001\0"))],
  ["size base-256", "tar_number", archive(sized(Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])))],
  ["size base-256 negative", "tar_number", archive(sized(Buffer.alloc(12, 0xff)))],
  ["size decimal", "tar_number", archive(sized("00000000009\0"))],
  ["size blank", "tar_number", archive(sized(Buffer.alloc(12)))],
  ["size with bytes behind its end", "tar_number", archive(sized("0000001\x003333"))],
  ["size of 8 GB", "tar_truncated", archive(sized("77777777777\0"))],
  ["user id that is no number", "tar_number", archive(file("a", "a", { patch: [[108, "x"]] }))],
  ["time that is no number", "tar_number", archive(file("a", "a", { patch: [[136, "00000000\x0001"]] }))],
  ["file with a target", "link_target", archive(file("a", "a", { link: "b" }))],
  ["GNU long name with a target", "link_target", archive(file("././@LongLink", "b\0", { type: "L", link: "c" }), a)],
  ["folder with a target in PAX", "link_target", archive(pax({ linkpath: "b" }), folder("a"))],
  ["bad checksum", "tar_checksum", archive(header({ name: "a", checksum: "000001\0 " }))],
  ["blank checksum", "tar_checksum", archive(header({ name: "a", checksum: "\0\0\0\0\0\0\0\0" }))],
  ["v7 header", "tar_format", archive(file("a", "a", { magic: "\0\0\0\0\0\0\0\0" }))],
  ["unknown magic", "tar_format", archive(file("a", "a", { magic: "ustar\x0001" }))],
  [
    "bytes behind the end of the prefix",
    "tar_format",
    archive(
      file("a", "a", {
        patch: [
          [345, "p"],
          [474, "00000000001 "],
        ],
      }),
    ),
  ],
  ["GNU incremental fields", "tar_format", archive(file("a", "a", { magic: gnu, patch: [[345, "00000000001"]] }))],
  ["no end mark", "tar_no_end", gzipSync(a)],
  ["half an end mark", "tar_no_end", gzipSync(Buffer.concat([a, Buffer.alloc(512)]))],
  ["zero block in the middle", "tar_after_end", gzipSync(Buffer.concat([a, Buffer.alloc(512), file("b"), endMark]))],
  [
    "bytes after the end mark",
    "tar_after_end",
    gzipSync(Buffer.concat([tarOf(a), Buffer.from("x"), Buffer.alloc(511)])),
  ],
  ["a lone byte after the end mark", "tar_truncated", gzipSync(Buffer.concat([tarOf(a), Buffer.from("x")]))],
  ["cut in a header", "tar_truncated", gzipSync(a.subarray(0, 300))],
  ["cut in a body", "tar_truncated", gzipSync(a.subarray(0, 513))],
  ["cut in padding", "tar_truncated", gzipSync(a.subarray(0, 600))],
  ["empty", "tar_no_end", emptyMember],
  ["a text file", "tar_checksum", gzipSync("hello ".repeat(200))],
];

/** B6: the gzip frame, and bombs made small by smaller limits. */
const frames: HostileArchive[] = [
  ["no bytes at all", "gzip_truncated", Buffer.alloc(0)],
  ["not gzip", "gzip_header", Buffer.from("PK\u0003\u0004 this is a zip file")],
  ["plain tar", "gzip_header", tarOf(a)],
  ["unknown method", "gzip_header", flipped(archive(a), 2)],
  ["reserved flag", "gzip_header", flipped(archive(a), 3, 0x80)],
  ["endless name field", "gzip_header", member(8, Buffer.alloc(200_000, "n"))],
  ["endless comment field", "gzip_header", member(16, Buffer.alloc(200_000, "c"))],
  ["cut in the name field", "gzip_truncated", member(8, Buffer.alloc(100, "n")).subarray(0, 60)],
  ["wrong header checksum", "gzip_checksum", member(2, Buffer.from([0, 0]))],
  ["wrong checksum", "gzip_checksum", flipped(archive(a), -8)],
  ["wrong size", "gzip_checksum", flipped(archive(a), -1)],
  ["missing trailer", "gzip_truncated", archive(a).subarray(0, -8)],
  ["half a trailer", "gzip_truncated", archive(a).subarray(0, -3)],
  ["cut in the data", "gzip_truncated", archive(a).subarray(0, 30)],
  ["cut in the header", "gzip_truncated", archive(a).subarray(0, 5)],
  ["damaged data", "gzip_data", Buffer.concat([archive(a).subarray(0, 10), Buffer.alloc(40, 0xff)])],
  ["trailing text", "gzip_trailing", Buffer.concat([archive(a), Buffer.from("trailing text")])],
  ["trailing zeros", "gzip_trailing", Buffer.concat([archive(a), Buffer.alloc(512)])],
  ["one trailing byte", "gzip_trailing", Buffer.concat([archive(a), Buffer.from([0])])],
  ["one trailing magic byte", "gzip_trailing", Buffer.concat([archive(a), Buffer.from([0x1f])])],
  ["a second archive behind", "tar_after_end", Buffer.concat([archive(a), archive(file("b"))])],
  ["many members", "limit_members", Buffer.concat([archive(a), ...many(50, () => emptyMember)]), { members: 50 }],
  ["many entries", "limit_entries", archive(...many(101, (i) => file(`f${i}`, ""))), { entries: 100 }],
  ["many entries by implied folders", "limit_entries", archive(longFile(deep(110), "x")), { entries: 100 }],
  [
    "long names",
    "limit_names",
    archive(...many(50, (i) => longFile(`${"n/".repeat(100)}${i}`, "x"))),
    { nameBytes: 1000 },
  ],
  ["long link targets", "limit_names", archive(...many(50, (i) => link(`l${i}`, "t".repeat(90)))), { nameBytes: 1000 }],
  ["many bytes", "limit_bytes", archive(file("f", Buffer.alloc(100_000))), { bytes: 50_000 }],
  ["high ratio", "limit_ratio", archive(file("f", Buffer.alloc(1_000_000))), { ratioFreeBytes: 10_000 }],
  ["no time", "limit_time", archive(a), { ms: 0 }],
];

const listed = (files: Record<string, string>, text: unknown): Uint8Array =>
  archive(
    ...Object.entries(files).map(([path, content]) => file(path, content)),
    file(".aether/manifest.json", typeof text === "string" ? text : JSON.stringify(text)),
  );
const entry = (path: string, content: string) => ({ path, sha256: sha256(content) });

/** B7: the metadata says something else than the archive. */
const metadata: HostileArchive[] = [
  ["other bytes", "manifest_mismatch", archive(a, manifest({ a: "b" }))],
  ["a file too many", "manifest_extra_file", archive(a, file("b"), manifest({ a: "a" }))],
  ["a file too many behind the manifest", "manifest_extra_file", archive(a, manifest({ a: "a" }), file("b"))],
  ["a link too many", "manifest_extra_file", archive(a, link("l", "a"), manifest({ a: "a" }))],
  ["metadata too many", "manifest_extra_file", archive(a, file(".aether/app.json", "{}"), manifest({ a: "a" }))],
  ["a file missing", "manifest_missing_file", archive(a, manifest({ a: "a", b: "b" }))],
  ["a folder for a file", "manifest_missing_file", archive(folder("a"), manifest({ a: "" }))],
  ["another target", "manifest_mismatch", archive(a, link("l", "a"), manifest({ a: "a", l: "b" }))],
  [
    "a table of contents with another hash",
    "manifest_mismatch",
    archive(a, file(".aether/toc.json", "{}"), manifest({ a: "a", ".aether/toc.json": "[]" })),
  ],
  ["manifest twice", "duplicate", archive(manifest({}), manifest({}))],
  ["table of contents twice", "duplicate", archive(file(".aether/toc.json", "{}"), file(".aether/toc.json", "{}"))],
  ["no JSON", "manifest_invalid", listed({ a: "a" }, "{files:[]}")],
  ["empty", "manifest_invalid", listed({ a: "a" }, "")],
  ["deeply nested JSON", "manifest_invalid", listed({}, `${"[".repeat(10_000)}${"]".repeat(10_000)}`)],
  ["an unknown key first", "manifest_invalid", listed({}, '{"version":1,"files":[]}')],
  ["an unknown key last", "manifest_invalid", listed({}, '{"files":[],"version":1}')],
  ["files twice", "manifest_invalid", listed({ a: "a" }, '{"files":[],"files":[]}')],
  [
    "no comma",
    "manifest_invalid",
    listed({ a: "a", b: "b" }, `{"files":[${JSON.stringify(entry("a", "a"))}${JSON.stringify(entry("b", "b"))}]}`),
  ],
  ["a comma first", "manifest_invalid", listed({ a: "a" }, `{"files":[,${JSON.stringify(entry("a", "a"))}]}`)],
  ["a comma last", "manifest_invalid", listed({ a: "a" }, `{"files":[${JSON.stringify(entry("a", "a"))},]}`)],
  ["a record that is no JSON", "manifest_invalid", listed({ a: "a" }, `{"files":[{"path":"a",sha256:""}]}`)],
  ["cut off", "manifest_invalid", listed({ a: "a" }, `{"files":[${JSON.stringify(entry("a", "a"))}`)],
  ["text behind the end", "manifest_invalid", listed({}, '{"files":[]} {"files":[]}')],
  [
    "invalid UTF-8",
    "manifest_invalid",
    archive(file(".aether/manifest.json", Buffer.from('{"files":[]}\xff', "latin1"))),
  ],
  [
    "UTF-8 that is cut off",
    "manifest_invalid",
    archive(file(".aether/manifest.json", Buffer.from('{"files":[]}\xe6', "latin1"))),
  ],
  ["a megabyte that is no record", "manifest_invalid", listed({}, `{"files":[${" ".repeat(1_000_000)}`)],
  ["null", "manifest_invalid", listed({ a: "a" }, null)],
  ["no list", "manifest_invalid", listed({ a: "a" }, { files: {} })],
  [
    "hash in upper case",
    "manifest_invalid",
    listed({ a: "a" }, { files: [{ path: "a", sha256: sha256("a").toUpperCase() }] }),
  ],
  ["unsorted", "manifest_invalid", listed({ a: "a", b: "b" }, { files: [entry("b", "b"), entry("a", "a")] })],
  ["listed twice", "manifest_invalid", listed({ a: "a" }, { files: [entry("a", "a"), entry("a", "a")] })],
  [
    "sorted by UTF-16, not bytes",
    "manifest_invalid",
    listed({ "\uff5e": "a", "😀": "b" }, { files: [entry("😀", "b"), entry("\uff5e", "a")] }),
  ],
];

/** All of them, by the rows of the list of what is tried. */
export const hostileArchives = { names, links, unicode, kinds, readings, frames, metadata };
