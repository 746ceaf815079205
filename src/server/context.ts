import type { Control } from "../control/control.ts";
import type { Rollouts } from "../control/rollouts.ts";
import type { Role } from "../core/roles.ts";

/** Who sent a request. */
export interface Caller {
  name: string;
  role: Role;
}

/** What handlers find in `c.var`. */
export interface Variables {
  control: Control;
  rollouts: Rollouts;
  requestId: string;
  caller: Caller;
  /** Passes once database, storage and runtime have all answered. */
  startup: () => Promise<void>;
  stopping: AbortSignal;
}

export interface ServerEnv {
  Variables: Variables;
  /** Given by Bun.serve: lifts the idle limit of a stream. */
  Bindings: { keepOpen?: (request: Request) => void };
}
