import { AetherError } from "../../lib/errors.ts";
import { type Member, type MemberInput, type MemberOptions, makeMember } from "./member.ts";

// The code of one worker of the pool. A build must name this file as an entry point of its own.

/** What the pool sends. */
export interface MemberJob {
  input: MemberInput;
  options: MemberOptions;
}

/** What it gets back: errors lose their class on the way between threads. */
export type MemberAnswer =
  | { member: Member }
  | {
      failure: {
        code: AetherError["code"];
        message: string;
        hint: string | undefined;
        details: AetherError["details"];
      };
    }
  | { bug: string };

declare const self: Worker;

self.onmessage = ({ data }: MessageEvent<MemberJob>) => {
  const answer = answerTo(data);
  const bytes = "member" in answer ? answer.member.bytes : undefined;
  const owned = bytes !== undefined && bytes.byteLength === bytes.buffer.byteLength;
  self.postMessage(answer, owned ? [bytes.buffer as ArrayBuffer] : []);
};

function answerTo({ input, options }: MemberJob): MemberAnswer {
  try {
    return { member: makeMember(input, options) };
  } catch (error) {
    if (!(error instanceof AetherError))
      return { bug: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    const { code, message, hint, details } = error;
    return { failure: { code, message, hint, details } };
  }
}
