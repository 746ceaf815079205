import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { fullHouseFiles, hollowArchives, writeHollow } from "../../harness/hollow-archives.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";

const script = join(import.meta.dir, "../../harness/read-artifact-process.ts");

async function read(pieces: Iterable<Uint8Array>): Promise<{ peakBytes: number }> {
  await using place = await temporaryFolder();
  const path = join(place.path, "a.tgz");
  await writeHollow(path, pieces);
  const child = Bun.spawn([process.execPath, script, path], { stderr: "inherit" });
  return (await new Response(child.stdout).json()) as { peakBytes: number };
}

test.each([
  ["10 GB of zeros", "limit_ratio", hollowArchives.zeros],
  ["a million empty gzip members", "limit_members", hollowArchives.emptyMembers],
  ["an endless gzip name", "gzip_header", hollowArchives.endlessName],
  ["empty deflate blocks", "gzip_truncated", hollowArchives.emptyBlocks],
] as const)(
  "%s: refused in less than 256 MB",
  async (_, rule, pieces) => {
    const outcome = await read(pieces());
    expect(outcome).toMatchObject({ code: "artifact_invalid", rule });
    expect(outcome.peakBytes).toBeLessThan(256_000_000);
  },
  60_000,
);

describe.skipIf(process.env.AETHER_TEST_FULL !== "1")("at length", () => {
  test.each([
    ["a million empty files", { rule: "limit_entries" }, hollowArchives.emptyFiles],
    ["2 GB just below the ratio", { rule: "tar_truncated" }, hollowArchives.nearTheRatio],
    ["as much as is allowed", { files: fullHouseFiles + 1 }, hollowArchives.fullHouse],
  ] as const)(
    "%s: read in less than 256 MB",
    async (_, expected, pieces) => {
      const outcome = await read(pieces());
      expect(outcome).toMatchObject(expected);
      expect(outcome.peakBytes).toBeLessThan(256_000_000);
    },
    120_000,
  );
});
