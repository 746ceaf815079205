import type { Control } from "../control/control.ts";
import type { Rollouts } from "../control/rollouts.ts";
import type { TokenLookup } from "../control/token-lookup.ts";
import type { Role } from "../core/roles.ts";
import type { SocketHandlers } from "./web-socket.ts";

/** Who sent a request. */
export interface Caller {
  /** Tells callers apart, while names may repeat: for limits and for what one caller may not read of another. */
  id: string;
  /** Who the audit names. */
  name: string;
  role: Role;
  /** Names of the apps that it is for; undefined is all. Ask `access.ts`, do not compare. */
  apps: readonly string[] | undefined;
  /** It runs what it downloads, an agent or a pod: `own` for this server's agents, `pod` for who must pass the gate. */
  runs?: "own" | "pod";
  /** The pod's name, where its token is bound to it. */
  replica?: string | undefined;
}

/** What handlers find in `c.var`. */
export interface Variables {
  control: Control;
  rollouts: Rollouts;
  requestId: string;
  traceId: string;
  caller: Caller;
  tokenLookup: TokenLookup;
  /** Of a token that can be revoked: whether it still works. Streams ask by `streamEnd`. */
  isStillValid: (() => Promise<boolean>) | undefined;
  /** Counts a write to an app, or throws `rate_limited`. */
  countWrite: (app: string) => void;
  /** Passes once database, storage and runtime have all answered. */
  startup: () => Promise<void>;
  stopping: AbortSignal;
}

/** What the listener can do for a request. */
export interface Connection {
  /** Lifts the idle limit of a stream. */
  keepOpen?: (request: Request) => void;
  /** With an answer of status 101, the connection becomes a WebSocket with these handlers. */
  upgrade?: (handlers: SocketHandlers) => void;
}

export interface ServerEnv {
  Variables: Variables;
  Bindings: Connection;
}
