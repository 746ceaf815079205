/** Reads a stream of chunks by count, with a way to give bytes back. */
export interface ByteSource {
  hasMore(): Promise<boolean>;
  /** Exactly `count` bytes, or undefined when the stream ends before. */
  take(count: number): Promise<Buffer | undefined>;
  /** The next piece, as long as it comes; undefined at the end. */
  next(): Promise<Buffer | undefined>;
  giveBack(bytes: Uint8Array): void;
  /** Bytes handed out so far. */
  position(): number;
}

const none = Buffer.alloc(0);

/** One reader at a time: the calls may not overlap. */
export function createByteSource(chunks: AsyncIterable<Uint8Array>): ByteSource {
  const iterator = chunks[Symbol.asyncIterator]();
  let held: Buffer = none;
  let position = 0;

  async function fill(): Promise<boolean> {
    while (held.length === 0) {
      const { done, value } = await iterator.next();
      if (done) return false;
      held = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    }
    return true;
  }

  function cut(count: number): Buffer {
    const piece = held.subarray(0, count);
    held = held.subarray(count);
    position += piece.length;
    return piece;
  }

  async function take(count: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    for (let missing = count; missing > 0; ) {
      if (!(await fill())) return undefined;
      const part = cut(missing);
      parts.push(part);
      missing -= part.length;
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  return {
    hasMore: fill,
    take,
    next: async () => ((await fill()) ? cut(held.length) : undefined),
    giveBack(bytes) {
      const back = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      position -= back.length;
      held = held.length === 0 ? back : Buffer.concat([back, held]);
    },
    position: () => position,
  };
}
