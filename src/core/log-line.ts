/** One line an application wrote, as stored and as sent in NDJSON (`GET /apps/{app}/logs`). */
export interface LogLine {
  /** RFC 3339: with milliseconds locally, with nanoseconds on Kubernetes; as text, times of one app are in order. */
  time: string;
  /** The pod or, locally, the replica (`shop-v12-0`). */
  pod: string;
  container: string;
  /** Absent where the runtime does not tell. */
  stream?: LogStream;
  line: string;
  /** Not the application's: lines that should stand here are no longer kept, and `line` says so. */
  gap?: true;
}

/** A line as people read it. */
export const printed = ({ pod, line, gap }: LogLine): string => (gap ? `--- gap in ${pod}: ${line}` : line);

export type LogStream = "stdout" | "stderr";

/** Which lines to read. `follow` keeps the stream open until it is aborted. */
export interface LogQuery {
  tailLines?: number;
  since?: Date;
  follow?: boolean;
  /** The application's own when left out. */
  container?: string;
  /** Of each replica, the run of its container before this one. */
  previous?: boolean;
}
