import { createBucket } from "./object-store.ts";
import { createPostgresUrl } from "./postgres.ts";

/** The variables that give a server its database and storage, which are gone in the end. */
export type ServedParts = { env: Record<string, string> } & AsyncDisposable;

/** Everything in the data folder. */
export const embeddedParts = async (): Promise<ServedParts> => ({ env: {}, [Symbol.asyncDispose]: async () => {} });

/** A Postgres of its own, and files. */
export async function postgresParts(): Promise<ServedParts> {
  const { url, ...created } = await createPostgresUrl();
  const secretsKey = "0f".repeat(32); // servers on one Postgres share it, so it is demanded
  return { ...created, env: { DATABASE_URL: url, AETHER_SECRETS_KEY: secretsKey } };
}

/** A Postgres and a bucket of its own. */
export async function postgresAndS3Parts(): Promise<ServedParts> {
  const { bucket, server } = await createBucket();
  const { env, ...created } = await postgresParts();
  const s3 = {
    AETHER_S3_BUCKET: bucket,
    AETHER_S3_BASE_URL: server.url,
    AETHER_S3_ACCESS_KEY: server.accessKeyId,
    AETHER_S3_SECRET_KEY: server.secretAccessKey,
  };
  return { ...created, env: { ...env, ...s3 } };
}
