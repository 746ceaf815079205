import { misconfiguredReason } from "../../core/wire.ts";
import { AetherError } from "../../lib/errors.ts";
import { isS3Code, S3Failure } from "./s3-failure.ts";

/** What was seen of a store holds for so long: not every upload asks. */
const keptMs = 30_000;
/** A store that does not answer in this time is in trouble, and no one's settings. */
const patienceMs = 2_000;

/**
 * Refuses what bucket, keys or region make impossible before anyone is sent there: a laptop could not tell that it is not
 * at fault. A store in trouble passes, whoever sends tries again; so do keys that may only not list.
 */
export function createSettingsCheck(check: () => Promise<void>): () => Promise<void> {
  let goodUntil = 0;
  let asking: Promise<void> | undefined;
  const ask = () =>
    check()
      .then(() => {
        goodUntil = performance.now() + keptMs;
      })
      .finally(() => {
        asking = undefined;
      });
  return async () => {
    if (performance.now() < goodUntil) return;
    asking ??= ask();
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, patienceMs);
    try {
      await Promise.race([asking, late.promise]);
    } catch (error) {
      if (isSettings(error)) throw setUpWrongly(error);
    } finally {
      clearTimeout(timer);
    }
  };
}

const isSettings = (error: unknown): error is S3Failure =>
  error instanceof S3Failure && error.details.reason === misconfiguredReason && !isS3Code(error, "AccessDenied");

function setUpWrongly(failure: S3Failure): AetherError {
  return new AetherError(failure.code, `This server's storage is set up wrongly. ${failure.message}`, {
    cause: failure,
    hint: `Whoever runs the server can mend it: ${failure.hint}`,
    details: failure.details,
  });
}
