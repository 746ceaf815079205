import { appLocked } from "../../core/app-lock.ts";
import { type Client, orNothing } from "../client.ts";

/** Ends a deploy of an app that is locked as the server would, before a byte moves. An app that is not there is made by it. */
export async function assertUnlocked(client: Client, name: string): Promise<void> {
  const app = await orNothing(client.app(name));
  if (app?.locked) throw appLocked(name, app.locked);
}
