import { AetherError } from "../lib/errors.ts";

// What the WebSockets of `exec`, `run` and `port-forward` carry: binary messages, whose first byte names the channel.
// Bytes of a program go on channels 0 to 2, JSON on channel 3. Who sends bytes may be `windowBytes` ahead of what the other
// side has acknowledged, channel by channel: a slow reader slows the program, and nobody keeps more than that in memory.

/** The numbers of the channels. A forwarded connection uses `stdin` towards the application and `stdout` from it. */
export const channels = { stdin: 0, stdout: 1, stderr: 2, control: 3 } as const;

/** A channel of bytes. */
export type DataChannel = "stdin" | "stdout" | "stderr";

/** No message has more bytes than this, beside its channel. */
export const maxFrameBytes = 64 * 1024;
/** So many bytes of a channel may be under way without an `ack`. */
export const windowBytes = 1024 * 1024;

export interface TerminalSize {
  columns: number;
  rows: number;
}

/** JSON of the control channel. */
export type SessionMessage =
  /** The client's first: what is to run, and in which terminal. Not in the URL: arguments may hold secrets, and URLs are logged. */
  | { type: "start"; command: string[]; terminal?: TerminalSize }
  /** The client's: its terminal has another size now. */
  | { type: "resize"; columns: number; rows: number }
  /** The server's, when the program or the connection is there. */
  | { type: "started"; replica: string | null }
  /** No more bytes on this channel. */
  | { type: "eof"; channel: DataChannel }
  /** So many bytes were read: as many more may be sent. */
  | { type: "ack"; channel: DataChannel; bytes: number }
  /** The server's last: how the program ended (128 + n for a signal). */
  | { type: "exit"; code: number }
  /** The server's last: why it could not go on. */
  | { type: "error"; code: string; message: string; hint?: string };

/** One message, as read. */
export type SessionFrame = { channel: DataChannel; data: Uint8Array } | { channel: "control"; message: SessionMessage };

/** Bytes of a channel as a message. */
export function dataFrame(channel: DataChannel, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(data.length + 1);
  frame[0] = channels[channel];
  frame.set(data, 1);
  return frame;
}

/** A control message. */
export function controlFrame(message: SessionMessage): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(message));
  const frame = new Uint8Array(text.length + 1);
  frame[0] = channels.control;
  frame.set(text, 1);
  return frame;
}

/** What a message says, or `bad_request` for what no message of ours looks like. */
export function parseFrame(frame: string | Uint8Array): SessionFrame {
  if (typeof frame === "string" || frame.length === 0) throw malformed();
  const data = frame.subarray(1);
  if (frame[0] === channels.control) return { channel: "control", message: parseMessage(data) };
  const channel = dataChannels[frame[0] ?? -1];
  if (channel === undefined || data.length > maxFrameBytes) throw malformed();
  return { channel, data };
}

const dataChannels: readonly (DataChannel | undefined)[] = ["stdin", "stdout", "stderr"];

function parseMessage(data: Uint8Array): SessionMessage {
  const message = toObject(data);
  if (message === undefined || !Object.hasOwn(shapes, String(message.type))) throw malformed();
  const isValid = shapes[message.type as SessionMessage["type"]];
  if (!isValid(message)) throw malformed();
  return message as SessionMessage;
}

function toObject(data: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(data));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

type Raw = Record<string, unknown>;
const isText = (value: unknown): value is string => typeof value === "string";
const isCount = (value: unknown, max: number): boolean =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) <= max;
const isSize = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  isCount((value as Raw).columns, maxCells) &&
  isCount((value as Raw).rows, maxCells);
const isChannel = (value: unknown): boolean => dataChannels.some((channel) => channel === value);
const maxCells = 65_535;

const shapes: Record<SessionMessage["type"], (message: Raw) => boolean> = {
  start: ({ command, terminal }) =>
    Array.isArray(command) && command.every(isText) && (terminal === undefined || isSize(terminal)),
  resize: isSize,
  started: ({ replica }) => replica === null || isText(replica),
  eof: ({ channel }) => isChannel(channel),
  ack: ({ channel, bytes }) => isChannel(channel) && isCount(bytes, windowBytes),
  exit: ({ code }) => isCount(code, 255),
  error: ({ code, message, hint }) => isText(code) && isText(message) && (hint === undefined || isText(hint)),
};

const malformed = (): AetherError => new AetherError("bad_request", "The connection carried something malformed.");
