import { setTimeout as sleep } from "node:timers/promises";
import type { LogLine } from "../core/log-line.ts";
import { createLogPlace, type LogPlace } from "../core/log-place.ts";
import { AetherError } from "../lib/errors.ts";
import { isTransient } from "./client.ts";
import { ndjson } from "./ndjson.ts";

export interface FollowLogsOptions {
  /** Asks for lines; `since` instead of what was asked for at first. */
  open: (since: string | undefined) => Promise<Response>;
  signal: AbortSignal;
  /** It was asked for lines since a time: until one has come, the same is asked for again. */
  hasSince: boolean;
  /** Told once of each outage. */
  onBreak: (error: unknown) => void;
  /** How long the server may be away. */
  patienceMs?: number;
}

const delays = { first: 200, longest: 2_000 };
/** Replicas are read side by side: what one wrote before another may come behind it, by so much at most. */
const overlapMs = 30_000;

/** The lines of a stream that follows: when it breaks, it is taken up where it broke, with nothing twice and nothing left out. */
export async function* followLogs(options: FollowLogsOptions): AsyncGenerator<LogLine> {
  const { open, signal, hasSince, onBreak, patienceMs = 60_000 } = options;
  const places = new Map<string, LogPlace>();
  let first: string | undefined;
  let newest: string | undefined;
  let begun: string | undefined;
  let awaySince: number | undefined;

  for (let delayMs = delays.first; !signal.aborted; delayMs = Math.min(delays.longest, delayMs * 2)) {
    try {
      const response = await open(resumeAt());
      begun ??= toTime(response.headers.get("date"));
      awaySince = undefined;
      const isNew = replayAll(places);
      for await (const line of ndjson<LogLine>(response)) {
        if (line.gap ? newest !== undefined && line.time <= newest : !isNew(line)) continue;
        delayMs = delays.first;
        first ??= line.time;
        if (newest === undefined || line.time > newest) newest = line.time;
        yield line;
      }
      throw new AetherError("unreachable", "The server ended the stream.");
    } catch (error) {
      if (signal.aborted) return;
      const isBroken = !(error instanceof AetherError) || isTransient(error);
      if (!isBroken || begun === undefined) throw error;
      if (awaySince === undefined) onBreak(error);
      awaySince ??= performance.now();
      if (performance.now() - awaySince > patienceMs) throw error;
    }
    await sleep(delayMs, undefined, { signal }).catch(() => {}); // Ctrl-C: the loop sees it
  }

  /** Lines before the first that was shown were not asked for. */
  function resumeAt(): string | undefined {
    if (newest === undefined || first === undefined) return hasSince ? undefined : begun;
    const overlap = new Date(Date.parse(newest) - overlapMs).toISOString();
    return overlap > first ? overlap : toTime(first);
  }
}

const toTime = (text: string | null): string | undefined => (text === null ? undefined : new Date(text).toISOString());

/** A log whose lines before `time` were not asked for. */
function placeFrom(time: string): LogPlace {
  const place = createLogPlace();
  place.skipBefore(time);
  return place;
}

/** Whether a line is new, after a stream was begun again. */
function replayAll(places: Map<string, LogPlace>): (line: LogLine) => boolean {
  const replays = new Map([...places].map(([key, place]) => [key, place.replay()]));
  return ({ time, pod, container }) => {
    const key = `${pod}/${container}`;
    const place = places.get(key) ?? placeFrom(time);
    const replay = replays.get(key) ?? place.replay();
    places.set(key, place);
    replays.set(key, replay);
    return replay.take(time);
  };
}
