import type { AppConfig } from "../../core/app-config.ts";
import type { Manifest } from "../../core/artifact-layout.ts";
import type { Digest } from "../../core/digest.ts";
import { createArtifactFile } from "./artifact-file.ts";
import { compress, formatVersion } from "./member.ts";
import { createMemberMaker } from "./member-maker.ts";
import { type MemberPlan, planMembers } from "./member-plan.ts";
import { type MemberSource, putPlan } from "./member-source.ts";
import { createMemberWriter, type MemberWriter } from "./member-writer.ts";
import { openPackCache, type PackCache } from "./pack-cache.ts";
import { createLimits } from "./pack-limits.ts";
import type { KnownPlan } from "./pack-memory.ts";
import { appConfigText, createManifest, endTar, metadataTar } from "./pack-metadata.ts";
import type { TreeEntry } from "./tree-entry.ts";
import { type EntryGroup, type Walked, walkTree } from "./walk.ts";

export interface PackOptions {
  /** Absolute, only read. */
  appFolder: string;
  /** Each node_modules folder in it is packed; those that the application's folder has at the same place are not. */
  dependenciesFolder?: string;
  appConfig: AppConfig;
  /** Where `app-<sha256>.tar.gz` lands. */
  outFolder: string;
  /** Compressed members and what is known of unchanged files; absent: nothing is kept. */
  cacheFolder?: string;
  cacheMaxBytes?: number;
  /** libdeflate's, 1 to 12. */
  compressionLevel?: number;
  /** Threads that read and compress; the digest does not depend on it. */
  workers?: number;
  /** Told how many bytes of the tar stream are written. How many there will be is not known before the end. */
  onProgress?: (doneBytes: number) => void;
  /** Told what went wrong without harming the artifact. */
  warn?: (message: string) => void;
}

export interface PackedArtifact {
  path: string;
  digest: Digest;
  sizeBytes: number;
  manifest: Manifest;
  /** Files and links, without what aether adds. */
  files: number;
  /** Of all files together. */
  rawBytes: number;
  /** What was left out although no line of an .aetherignore asked for it. */
  excluded: string[];
  /** `reused` were not compressed again. */
  members: { total: number; reused: number };
  /** The ten biggest files. */
  largest: { path: string; sizeBytes: number }[];
}

/** 2 % larger than `gzip -6` with all our metadata; 5 would be as large, but take a sixth longer to compress. */
export const defaultCompressionLevel = 4;

const defaultCacheBytes = 2 * 1000 ** 3;

/** Packs a folder and its installed dependencies into one artifact: the same tree gives the same bytes everywhere. */
export async function packFolder(options: PackOptions): Promise<PackedArtifact> {
  const { outFolder, appConfig, level, startedAt, onProgress, warn } = withDefaults(options);
  const file = await createArtifactFile(outFolder, startedAt);
  const cache = openCache(withDefaults(options)); // after the file, which would wait behind all that this starts to read
  const maker = createMemberMaker({ level, cacheFolder: cache.folder }, options.workers);
  const writer = createMemberWriter({ file, window: maker.window, onWritten: onProgress, warn });
  const source = { maker, level, find: cache.member, put: writer.put };
  try {
    const { plans, learned, walked, rawBytes } = await putTree(walkTree(options), cache, source);
    const manifest = await putMetadata({ walked, contents: contentsOf(plans, learned), appConfig }, source);
    await writer.drain();
    await file.append(compress(endTar(writer.rows), level));
    const { sizeBytes } = file;
    const { path, digest } = await file.finish();
    cache.remember(plans, learned);
    return { path, digest, sizeBytes, manifest, rawBytes, ...summaryOf(walked), members: countsOf(writer) };
  } finally {
    maker.close();
    await file.discard();
  }
}

function withDefaults(options: PackOptions) {
  return {
    ...options,
    level: options.compressionLevel ?? defaultCompressionLevel,
    startedAt: new Date(),
    onProgress: options.onProgress ?? (() => {}),
    warn: options.warn ?? (() => {}),
  };
}

function openCache(options: ReturnType<typeof withDefaults>): PackCache {
  const { appFolder, dependenciesFolder = "", level, startedAt, warn } = options;
  return openPackCache({
    folder: options.cacheFolder,
    maxBytes: options.cacheMaxBytes ?? defaultCacheBytes,
    tree: [appFolder, dependenciesFolder, level, formatVersion].join("\n"),
    startedAt,
    warn,
  });
}

/** What was put, and what it taught; the two lists go together. */
interface PutTree {
  plans: MemberPlan[];
  learned: KnownPlan[];
  walked: Walked;
  rawBytes: number;
}

async function putTree(
  groups: Generator<EntryGroup, Walked>,
  cache: PackCache,
  source: MemberSource,
): Promise<PutTree> {
  const plans: MemberPlan[] = [];
  const learning: Promise<KnownPlan>[] = [];
  const limits = createLimits();
  const planned = planMembers(groups);
  let next = planned.next();
  for (; !next.done; next = planned.next()) {
    const plan = next.value;
    limits.add(plan);
    const { learned } = await putPlan(plan, cache.find(plan), source);
    learned.catch(() => {}); // the writer meets the same error
    plans.push(plan);
    learning.push(learned);
  }
  return { plans, learned: await Promise.all(learning), walked: next.value, rawBytes: limits.contentBytes };
}

/** SHA-256 of each entry's content. */
function contentsOf(plans: MemberPlan[], learned: KnownPlan[]): Map<TreeEntry, string> {
  const contents = new Map<TreeEntry, string>();
  for (const [index, { entries }] of plans.entries()) {
    const hashes = learned[index]?.contents.split(",") ?? [];
    for (const [position, entry] of entries.entries()) contents.set(entry, hashes[position] ?? "");
  }
  return contents;
}

interface Metadata {
  walked: Walked;
  contents: Map<TreeEntry, string>;
  appConfig: AppConfig;
}

async function putMetadata({ walked, contents, appConfig }: Metadata, { maker, put }: MemberSource): Promise<Manifest> {
  const files = walked.files.map((entry) => ({ path: entry.path, sha256: contents.get(entry) ?? "" }));
  const config = appConfigText(appConfig);
  const manifest = createManifest(files, config);
  const tar = metadataTar(config, manifest);
  for (let at = 0; at < tar.length; at += metadataPieceBytes) {
    await put(maker.make({ bytes: tar.slice(at, at + metadataPieceBytes) }));
  }
  return manifest;
}

const metadataPieceBytes = 1024 * 1024;

function summaryOf({ files, excluded }: Walked) {
  const bySize = files.filter(({ size }) => size > 0).sort((a, b) => b.size - a.size);
  const largest = bySize.slice(0, 10).map(({ path, size }) => ({ path, sizeBytes: size }));
  return { files: files.length, excluded, largest };
}

/** The last member, which holds the table of contents, is none of its rows. */
const countsOf = ({ rows, reused }: MemberWriter) => ({ total: rows.length + 1, reused });
