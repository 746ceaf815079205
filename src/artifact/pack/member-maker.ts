import { availableParallelism } from "node:os";
import { type Member, type MemberInput, type MemberOptions, makeMember } from "./member.ts";
import { createMemberPool, type MemberPool } from "./member-pool.ts";

/** Makes members, several at a time where that is worth it. */
export interface MemberMaker {
  make(input: MemberInput): Promise<Member>;
  /** How many may be waited for at once without holding more memory than speed needs. */
  readonly window: number;
  close(): void;
}

/** So much is made in this thread before workers are worth their start. */
const inlineBytes = 2 * 1024 * 1024;
const maxWorkers = 8;

/** A maker whose threads start when there is enough for them to do. */
export function createMemberMaker(
  options: MemberOptions,
  workers = Math.min(availableParallelism(), maxWorkers),
): MemberMaker {
  let pool: MemberPool | undefined;
  let made = 0;

  async function make(input: MemberInput): Promise<Member> {
    if (pool === undefined && made + sizeOf(input) > inlineBytes) pool = createMemberPool(options, workers);
    if (pool !== undefined) return pool.make(input);
    const member = makeMember(input, options);
    if (!member.reused) made += member.rawBytes;
    return member;
  }

  return { make, window: workers * 3, close: () => pool?.close() };
}

const sizeOf = (input: MemberInput): number =>
  "bytes" in input ? input.bytes.length : input.entries.reduce((sum, { size }) => sum + size, 0);
