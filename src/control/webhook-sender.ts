import { createHmac } from "node:crypto";
import { lookup as systemLookup } from "node:dns/promises";
import { request as sendPlain } from "node:http";
import { request as sendSecure } from "node:https";
import { isIP } from "node:net";
import { addressProblem, hostOf, receiverProblem } from "../core/receiver-address.ts";
import { version } from "../core/version.ts";
import { messageOf, systemCode } from "../lib/errors.ts";

/** One attempt at one delivery. */
export interface Sending {
  url: string;
  secret: string;
  deliveryId: string;
  event: string;
  body: string;
}

/** What came of it: only a 2xx is a success. */
export interface SendOutcome {
  status: number | null;
  error: string | null;
}

export type WebhookSender = (sending: Sending, signal: AbortSignal) => Promise<SendOutcome>;

export interface SenderOptions {
  allowPrivate: boolean;
  /** All addresses of a name; a test passes its own. */
  lookup?: (host: string) => Promise<{ address: string; family: number }[]>;
  /** How long an attempt may take. */
  timeoutMs?: number;
  now?: () => Date;
  /** Further authorities that receivers' certificates may come from. */
  ca?: string;
}

/** Sends signed POSTs, follows no redirect, and connects to no other address than those that were checked. */
export function createWebhookSender(options: SenderOptions): WebhookSender {
  const { timeoutMs = 10_000, now = () => new Date() } = options;
  return async (sending, signal) => {
    const problem = receiverProblem(sending.url, options);
    if (problem !== undefined) return refused(problem);
    const limit = AbortSignal.timeout(timeoutMs);
    try {
      const status = await post(sending, { ...options, at: now(), signal: AbortSignal.any([signal, limit]) });
      return { status, error: explain(status) };
    } catch (error) {
      if (limit.aborted) return { status: null, error: `no answer within ${timeoutMs / 1000} s` };
      return { status: null, error: reasonOf(error) };
    }
  };
}

/** `t=<unix>,v1=<hex HMAC-SHA256(secret, t + "." + body)>` */
export function signatureOf(body: string, secret: string, at: Date): string {
  const t = Math.floor(at.getTime() / 1000);
  return `t=${t},v1=${createHmac("sha256", secret).update(`${t}.${body}`).digest("hex")}`;
}

function post(
  { url: text, secret, deliveryId, event, body }: Sending,
  { at, signal, ca, ...options }: SenderOptions & { at: Date; signal: AbortSignal },
): Promise<number> {
  const url = new URL(text);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const request = (url.protocol === "https:" ? sendSecure : sendPlain)(
    {
      host: hostOf(url),
      ...(url.port === "" ? {} : { port: Number(url.port) }),
      path: `${url.pathname}${url.search}`,
      method: "POST",
      agent: false, // an address was checked for this attempt alone
      lookup: checkedLookup(options),
      signal,
      ...(ca === undefined ? {} : { ca }),
      headers: {
        host: url.host,
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "user-agent": `aether/${version}`,
        "x-aether-event": event,
        "x-aether-delivery": deliveryId,
        "x-aether-signature": signatureOf(body, secret, at),
      },
    },
    (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy(); // what a receiver says beside its status is not read
    },
  );
  request.on("error", reject);
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  request.end(body);
  return promise;
}

type Found = { address: string; family: number };
type Answer = (error: Error | null, found?: Found[]) => void;

/** Bun connects to what this answers and asks no one again: a name that is rebound meanwhile leads nowhere else. */
function checkedLookup({ allowPrivate, lookup = lookUpAll }: Omit<SenderOptions, "ca">) {
  return (host: string, _: unknown, answer: unknown): void => {
    const tell = answer as Answer;
    lookup(host).then(
      (found) => {
        const problem = found.map(({ address }) => addressProblem(address, { allowPrivate })).find(Boolean);
        if (problem !== undefined) return tell(new RefusedReceiver(`${host}: ${problem}`));
        if (found.length === 0) return tell(new Error(`${host} has no address`));
        tell(null, found);
      },
      (error: Error) => tell(error),
    );
  };
}

async function lookUpAll(host: string): Promise<Found[]> {
  const family = isIP(host);
  return family === 0 ? systemLookup(host, { all: true }) : [{ address: host, family }];
}

/** An address that this server sends nothing to. */
class RefusedReceiver extends Error {
  override readonly name = "RefusedReceiver";
}

const refused = (problem: string): SendOutcome => ({ status: null, error: `refused: ${problem}` });

function explain(status: number): string | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400) return `answered ${status}, and redirects are not followed`;
  return `answered ${status}`;
}

function reasonOf(error: unknown): string {
  if (error instanceof RefusedReceiver) return `refused: ${error.message}`;
  return (systemCode(error) ?? messageOf(error)).slice(0, 300);
}
