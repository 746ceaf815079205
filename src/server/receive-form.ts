import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream as NodeStream } from "node:stream/web";
import { Busboy, type BusboyFileStream, type BusboyInstance } from "@fastify/busboy";
import { AetherError, asDiskError } from "../lib/errors.ts";
import { type ReceivedFile, receiveFile } from "../storage/receive-file.ts";

export interface ReceivedForm extends AsyncDisposable {
  fields: Record<string, string>;
  file: ReceivedFile | undefined;
}

export interface FormOptions {
  /** The form's field that holds the file. */
  fileField: string;
  /** Where the file is written until the form is disposed of. */
  folder: string;
  maxBytes: number;
}

/** Reads a multipart form whose file goes to disk as it comes, so that memory stays flat whatever its size. */
export async function receiveForm(request: Request, options: FormOptions): Promise<ReceivedForm> {
  const fields: Record<string, string> = {};
  let stream: BusboyFileStream | undefined;
  let receiving: Promise<ReceivedFile> | undefined;
  const parser = createParser(request);
  parser.on("field", (name, value) => void Object.assign(fields, { [name]: value }));
  parser.on("file", (name, content) => {
    if (name !== options.fileField || receiving !== undefined) return void content.resume();
    stream = content;
    receiving = receiveFile(content, options);
    receiving.catch((error: Error) => parser.destroy(error));
  });
  const parsing = pipeline(toReadable(request), parser).catch((error: Error) => {
    stream?.destroy(error); // it would wait for the rest for ever
    throw error;
  });
  const [parsed] = await Promise.allSettled([parsing]);
  const [received] = await Promise.allSettled([receiving]); // undefined until the parser came to the file
  const file = received.status === "fulfilled" ? received.value : undefined;
  const dispose = async () => file?.[Symbol.asyncDispose]();
  if (received.status === "fulfilled" && parsed.status === "fulfilled")
    return { fields, file, [Symbol.asyncDispose]: dispose };
  await dispose();
  throw asFormError(received.status === "rejected" ? received.reason : (parsed as PromiseRejectedResult).reason);
}

function createParser(request: Request): BusboyInstance {
  try {
    return new Busboy({
      headers: { "content-type": request.headers.get("content-type") ?? "" },
      limits: { parts: 10, fieldSize: 1_000, headerSize: 8_000 },
    });
  } catch (error) {
    throw asFormError(error); // no boundary, or no form at all
  }
}

const toReadable = ({ body }: Request): Readable =>
  body === null ? Readable.from([]) : Readable.fromWeb(body as unknown as NodeStream);

/** What can go wrong: the server's disk is full, or what came is no whole form. */
function asFormError(error: unknown): AetherError {
  if (error instanceof AetherError) return error;
  const disk = asDiskError(error, "receive", "an upload");
  if (disk instanceof AetherError) {
    return new AetherError("service_unavailable", `The server could not store this upload. ${disk.message}`, {
      cause: error,
      hint: "Nothing was kept. Try again when the server's disk has space.",
    });
  }
  return new AetherError("bad_request", "The form is malformed, or was cut off.", {
    cause: error,
    hint: 'Send multipart/form-data with the fields "app_name" and "artifact".',
  });
}
