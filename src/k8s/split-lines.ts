export interface SplitOptions {
  /** The last one is given also without its end. */
  keepRest: boolean;
  /** Lines are given with their end. */
  keepEnds?: boolean;
  /** What is longer is given in pieces: the same ones, wherever the chunks end. */
  longest?: number;
}

/** The lines of a byte stream, across its chunks. */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  { keepRest, keepEnds = false, longest = Number.POSITIVE_INFINITY }: SplitOptions,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const end = keepEnds ? "\n" : "";
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (let line of lines) {
      for (; line.length > longest; line = line.slice(longest)) yield line.slice(0, longest);
      yield line + end;
    }
    for (; rest.length > longest; rest = rest.slice(longest)) yield rest.slice(0, longest);
  }
  rest += decoder.decode();
  if (keepRest && rest !== "") yield rest;
}
