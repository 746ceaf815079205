import { AetherError } from "../../lib/errors.ts";
import { type Client, isNotFound } from "../client.ts";

/** An app as this deploy met it: its name may come back as another one. */
export interface MetApp {
  name: string;
  /** Known once the server has named it. */
  id?: string;
}

/** Does `work`; where it fails because somebody deleted the app meanwhile, that is what is told. */
export async function whileAppLives<T>(client: Client, app: MetApp, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AetherError && error.code !== "interrupted" && (await isGone(client, app))) {
      throw deleted(app, error);
    }
    throw error;
  }
}

/** False as well when it cannot be told: then the first failure says more. */
async function isGone(client: Client, { name, id }: MetApp): Promise<boolean> {
  if (id === undefined) return false;
  return client.app(name).then((now) => now.id !== id, isNotFound);
}

function deleted({ name }: MetApp, cause: AetherError): AetherError {
  return new AetherError("not_found", `The app "${name}" was deleted while it was deployed.`, {
    cause,
    hint: "Deploy again if that was not meant: the first upload creates it anew.",
    details: cause.details,
  });
}
