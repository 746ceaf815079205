/** The lines of a byte stream, across its chunks; the last one also without its end, when `keepRest`. */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  { keepRest, longest = Number.POSITIVE_INFINITY }: { keepRest: boolean; longest?: number },
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
    for (; rest.length > longest; rest = rest.slice(longest)) yield rest.slice(0, longest);
  }
  rest += decoder.decode();
  if (keepRest && rest !== "") yield rest;
}
