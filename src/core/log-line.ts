/** One line an application wrote, as stored and as sent in NDJSON (`GET /apps/{app}/logs`). */
export interface LogLine {
  /** RFC 3339 with milliseconds. */
  time: string;
  /** The pod or, locally, the replica (`shop-v12-0`). */
  pod: string;
  container: string;
  stream: "stdout" | "stderr";
  line: string;
}

/** Which lines to read. `follow` keeps the stream open until it is aborted. */
export interface LogQuery {
  tailLines?: number;
  since?: Date;
  follow?: boolean;
}
