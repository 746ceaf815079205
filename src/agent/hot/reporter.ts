import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import type { AgentReport } from "../../core/agent-report.ts";
import { messageOf } from "../../lib/errors.ts";
import { say } from "../pod-words.ts";

export interface ReporterOptions {
  /** Of the artifact: the server's address is what stands before its path. */
  downloadUrl: string;
  authorization?: (() => Promise<string>) | undefined;
  signal: AbortSignal;
}

/** Tells the server what became of each digest. */
export interface Reporter {
  add(report: AgentReport): void;
}

/** The oldest go first: what a replica runs now is what counts. */
const mostWaiting = 50;
const answerWithinMs = 10_000;
const maxPauseMs = 15_000;

/** Reports wait while the server is away; one that it does not take is dropped, for it will not take it later. */
export function createReporter({ downloadUrl, authorization, signal }: ReporterOptions): Reporter {
  const url = reportsUrl(downloadUrl);
  const waiting: AgentReport[] = [];
  let isSending = false;
  let isRefused = false;

  async function sendAll(): Promise<void> {
    isSending = true;
    for (let failures = 0; waiting[0] !== undefined && !signal.aborted; ) {
      const [report] = waiting;
      try {
        const status = await post(url, report, { headers: await headersOf(authorization), signal });
        if (status >= 500 || status === 429) throw new Error(`the server answered ${status}`);
        if (status >= 300 && !isRefused) say(`the server takes no reports: it answered ${status}`);
        isRefused = status >= 300;
        if (waiting[0] === report) waiting.shift();
        failures = 0;
      } catch (error) {
        if (failures === 0 && !signal.aborted) say(`a report waits for the server: ${messageOf(error)}`);
        failures += 1;
        const pauseMs = Math.min(maxPauseMs, 250 * 2 ** failures) * (0.5 + Math.random() / 2);
        await sleep(pauseMs, undefined, { signal }).catch(() => undefined); // stopped: the loop ends
      }
    }
    isSending = false;
  }

  return {
    add(report) {
      waiting.push(report);
      waiting.splice(0, waiting.length - mostWaiting);
      if (!isSending) void sendAll();
    },
  };
}

/** A server may live below a path. */
function reportsUrl(downloadUrl: string): URL {
  const { origin, pathname } = new URL(downloadUrl);
  const at = pathname.lastIndexOf("/artifacts/");
  return new URL(`${origin}${at < 0 ? "" : pathname.slice(0, at)}/agent/reports`);
}

async function headersOf(authorization: (() => Promise<string>) | undefined): Promise<Record<string, string>> {
  return { "content-type": "application/json", ...(authorization && { authorization: await authorization() }) };
}

function post(
  url: URL,
  report: AgentReport,
  { headers, signal }: { headers: Record<string, string>; signal: AbortSignal },
): Promise<number> {
  const send = url.protocol === "https:" ? requestHttps : requestHttp;
  const body = Buffer.from(JSON.stringify(report));
  return new Promise((answered, failed) => {
    const asked = send(url, {
      method: "POST",
      headers: { ...headers, "content-length": body.length },
      signal,
      agent: false,
    });
    asked.setTimeout(answerWithinMs, () => asked.destroy(new Error("the server did not answer")));
    asked.once("response", (response) => {
      response.resume();
      answered(response.statusCode ?? 0);
    });
    asked.once("error", failed).end(body);
  });
}
