import { AetherError } from "../lib/errors.ts";

/** Who locked an app's releases, when (RFC 3339) and why. */
export interface AppLock {
  by: string | null;
  at: string;
  reason: string | null;
}

/** That nothing of a locked app is released, as the server and the command line say it alike. */
export const appLocked = (app: string, { by, at, reason }: AppLock): AetherError =>
  new AetherError("conflict", `The app "${app}" is locked by ${by} since ${at}: ${reason}`, {
    hint: `When that is over: aether unlock ${app}`,
  });
