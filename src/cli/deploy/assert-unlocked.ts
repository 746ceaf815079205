import { AetherError } from "../../lib/errors.ts";
import { type Client, isNotFound } from "../client.ts";

/** Ends a deploy of an app that is locked as the server would, before a byte moves. */
export async function assertUnlocked(client: Client, name: string): Promise<void> {
  const app = await client.app(name).catch((error: unknown) => {
    if (isNotFound(error)) return undefined; // it is made by this deploy
    throw error;
  });
  if (!app?.locked) return;
  const { by, at, reason } = app.locked;
  throw new AetherError("conflict", `The app "${name}" is locked by ${by} since ${at}: ${reason}`, {
    hint: `When that is over: aether unlock ${name}`,
  });
}
