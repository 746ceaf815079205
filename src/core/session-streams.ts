import { Readable, Writable } from "node:stream";
import { AetherError } from "../lib/errors.ts";
import {
  controlFrame,
  type DataChannel,
  dataFrame,
  maxFrameBytes,
  parseFrame,
  type SessionMessage,
  windowBytes,
} from "./session-frames.ts";

/** One end of a session: a message as it comes from the peer, and streams for who uses it. */
export interface SessionStreams {
  /** Throws `bad_request` for what breaks the protocol, and the peer is to be let go. */
  receive(frame: string | Uint8Array): void;
  tell(message: SessionMessage): void;
  /** What is written goes to the peer, as fast as it reads. */
  readonly outgoing: Record<string, Writable>;
  /** What the peer sends. */
  readonly incoming: Record<string, Readable>;
  /** The connection is gone: streams that have not ended break. */
  end(): void;
}

export interface SessionOptions<Out extends DataChannel, In extends DataChannel> {
  sends: readonly Out[];
  receives: readonly In[];
  send: (frame: Uint8Array<ArrayBuffer>) => void;
  /** Whatever the peer tells, apart from what keeps the streams going. */
  onMessage: (message: SessionMessage) => void;
}

/** The streams over one connection. */
export function createSessionStreams<Out extends DataChannel, In extends DataChannel>(
  options: SessionOptions<Out, In>,
): SessionStreams & { outgoing: Record<Out, Writable>; incoming: Record<In, Readable> } {
  const { sends, receives, send, onMessage } = options;
  const tell = (message: SessionMessage) => send(controlFrame(message));
  const senders = new Map<DataChannel, Sender>(sends.map((channel) => [channel, createSender(channel, send)]));
  const receivers = new Map<DataChannel, Receiver>(receives.map((channel) => [channel, createReceiver(channel, tell)]));

  function receive(raw: string | Uint8Array): void {
    const frame = parseFrame(raw);
    if (frame.channel === "control") hear(frame.message);
    else known(receivers, frame.channel).take(frame.data);
  }

  function hear(message: SessionMessage): void {
    if (message.type === "ack") known(senders, message.channel).acknowledge(message.bytes);
    else if (message.type === "eof") known(receivers, message.channel).take(undefined);
    else onMessage(message);
  }

  return {
    receive,
    tell,
    outgoing: streamsOf(senders) as Record<Out, Writable>,
    incoming: streamsOf(receivers) as Record<In, Readable>,
    end() {
      for (const { stream } of [...senders.values(), ...receivers.values()]) stream.destroy();
    },
  };
}

const streamsOf = <T>(ends: Map<DataChannel, { stream: T }>): Record<string, T> =>
  Object.fromEntries([...ends].map(([channel, { stream }]) => [channel, stream]));

function known<T>(ends: Map<DataChannel, T>, channel: DataChannel): T {
  const end = ends.get(channel);
  if (end) return end;
  throw new AetherError("bad_request", `Nothing is sent on "${channel}" here.`);
}

interface Sender {
  stream: Writable;
  acknowledge(bytes: number): void;
}

function createSender(channel: DataChannel, send: (frame: Uint8Array<ArrayBuffer>) => void): Sender {
  let credit = windowBytes;
  let more = () => {};

  function roomForMore(): Promise<void> {
    return new Promise((resolve) => {
      more = resolve;
    });
  }

  async function write(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; ) {
      while (credit === 0) await roomForMore();
      if (stream.destroyed) return;
      const part = data.subarray(at, at + Math.min(credit, maxFrameBytes));
      credit -= part.length;
      at += part.length;
      send(dataFrame(channel, part));
    }
  }

  const stream = new Writable({
    highWaterMark: 2 * maxFrameBytes,
    write: (chunk: Uint8Array, _encoding, done) => void write(chunk).then(() => done(), done),
    final(done) {
      send(controlFrame({ type: "eof", channel }));
      done();
    },
  });
  stream.on("error", () => undefined); // who writes hears of it; nobody may, once the connection is gone
  return {
    stream,
    acknowledge(bytes) {
      credit += bytes;
      if (credit > windowBytes) throw new AetherError("bad_request", `More of "${channel}" was read than was sent.`);
      more();
    },
  };
}

interface Receiver {
  stream: Readable;
  /** Bytes, or the end. */
  take(data: Uint8Array | undefined): void;
}

function createReceiver(channel: DataChannel, tell: (message: SessionMessage) => void): Receiver {
  const queue: (Uint8Array | undefined)[] = [];
  /** Came, and was not acknowledged. */
  let open = 0;
  let read = 0;
  let isWanted = false;

  /** A quarter of the window at once: an acknowledgement for each keystroke would double the traffic. */
  function acknowledge(bytes: number): void {
    read += bytes;
    if (read < windowBytes / 4) return;
    tell({ type: "ack", channel, bytes: read });
    open -= read;
    read = 0;
  }

  function flow(): void {
    while (isWanted && queue.length > 0) {
      const data = queue.shift();
      isWanted = stream.push(data ?? null);
      acknowledge(data?.length ?? 0);
    }
  }

  const stream = new Readable({
    highWaterMark: 2 * maxFrameBytes,
    read() {
      isWanted = true;
      flow();
    },
  });
  stream.on("error", () => undefined);
  return {
    stream,
    take(data) {
      if (stream.destroyed) return;
      open += data?.length ?? 0;
      if (open > windowBytes) throw new AetherError("bad_request", `More of "${channel}" came than may be under way.`);
      if (data?.length === 0) return;
      queue.push(data);
      flow();
    },
  };
}
