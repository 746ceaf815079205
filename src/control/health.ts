import { AetherError, messageOf } from "../lib/errors.ts";
import type { Control } from "./control.ts";

/** Throws `service_unavailable` when the database does not answer in 2 s. */
export async function checkDatabase(control: Control): Promise<void> {
  await within(2_000, control.checkDatabase()).catch((cause: unknown) => {
    if (cause instanceof AetherError) throw cause;
    throw new AetherError("service_unavailable", "The database does not answer.", { cause });
  });
}

/** The parts besides the database that do not work now, each with the reason. */
export async function checkParts({ storage, runtime }: Control): Promise<string[]> {
  const parts = { storage, runtime };
  const checks = Object.entries(parts).map(([name, part]) =>
    within(2_000, part.check()).then(
      () => undefined,
      (error: unknown) => `${name}: ${messageOf(error)}`,
    ),
  );
  return (await Promise.all(checks)).filter((problem) => problem !== undefined);
}

/** Asks for database, storage and runtime until each has answered once; then always passes. */
export function createStartupCheck(control: Control): () => Promise<void> {
  let started = false;
  return async () => {
    if (started) return;
    await checkDatabase(control);
    const problems = await checkParts(control);
    if (problems.length > 0) throw new AetherError("service_unavailable", `Not started yet: ${problems.join("; ")}`);
    started = true;
  };
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
