import type { HeldPart } from "../../core/wire.ts";

/** One part of an artifact: bytes `from` to `to`, the latter excluded. */
export interface PlannedPart {
  number: number;
  from: number;
  to: number;
}

export interface PartPlan {
  missing: PlannedPart[];
  /** Parts that the store holds and that fit: they are named at completion, and not sent. */
  held: HeldPart[];
}

/** The smallest part, the last one apart, that S3 joins. */
const smallestPartBytes = 5 * 1024 ** 2;
const mostParts = 10_000;

/**
 * Which parts of an artifact are still to be sent. An upload under way keeps the part size that it was started with,
 * whatever the server would choose today: it is the one under which most of what is held fits.
 */
export function planParts(sizeBytes: number, partSizeBytes: number, stored: HeldPart[]): PartPlan {
  const size = chooseSize(sizeBytes, partSizeBytes, stored);
  const held = stored.filter((part) => fits(part, sizeBytes, size));
  const numbers = new Set(held.map(({ part_number }) => part_number));
  const all = Array.from({ length: Math.ceil(sizeBytes / size) }, (_, index) => ({
    number: index + 1,
    from: index * size,
    to: Math.min((index + 1) * size, sizeBytes),
  }));
  return { missing: all.filter(({ number }) => !numbers.has(number)), held };
}

function chooseSize(sizeBytes: number, chosen: number, stored: HeldPart[]): number {
  const smallest = Math.max(smallestPartBytes, Math.ceil(sizeBytes / mostParts));
  // A part is as long as the others, or it is the last one and they share what is before it.
  const possible = stored.flatMap((part) => [part.size_bytes, (sizeBytes - part.size_bytes) / (part.part_number - 1)]);
  const sizes = new Set([chosen, ...possible.filter((size) => Number.isInteger(size) && size >= smallest)]);
  const fitting = [...sizes].map((size) => ({
    size,
    bytes: heldBytes(stored.filter((p) => fits(p, sizeBytes, size))),
  }));
  return fitting.reduce((best, next) => (next.bytes > best.bytes ? next : best)).size;
}

function fits({ part_number, size_bytes }: HeldPart, sizeBytes: number, partSize: number): boolean {
  const from = (part_number - 1) * partSize;
  return from < sizeBytes && size_bytes === Math.min(partSize, sizeBytes - from);
}

/** The bytes of some parts together. */
export const heldBytes = (parts: HeldPart[]): number => parts.reduce((sum, { size_bytes }) => sum + size_bytes, 0);
