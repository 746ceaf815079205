/** The JSON objects of an answer, one a line, as they arrive. */
export async function* ndjson<T>(response: Response): AsyncGenerator<T> {
  if (response.body === null) return;
  let rest = "";
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line) as T;
  }
}
