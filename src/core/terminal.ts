import type { TerminalSize } from "./session-frames.ts";

/** The terminal that a program is shown in. */
export interface Terminal extends TerminalSize {
  /** Tells of each other size that it gets. */
  onResize(listener: (size: TerminalSize) => void): void;
}
