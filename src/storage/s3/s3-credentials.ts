import { readFile } from "node:fs/promises";
import { AetherError, messageOf } from "../../lib/errors.ts";
import { networkReason } from "../../lib/network-reason.ts";
import type { S3Keys, S3StorageOptions, S3WebIdentity } from "./s3-options.ts";
import { assumedRole, errorIn, readXml } from "./s3-xml.ts";

export interface S3Credentials {
  /** Keys that stay valid for so long, where the service gives such. */
  get(validForSeconds: number): Promise<S3Keys>;
}

/** Keys and until when they are valid. */
interface Session {
  keys: S3Keys;
  expiresAt: number;
}

const reserveMs = 300_000; // requests under way, and clocks that differ a little
const pauseMs = 60_000; // a service that is in trouble, or gives short sessions, is not asked for each URL

/** Static keys as they are; those of a web identity fetched once, and renewed before they expire. */
export function createCredentials({ credentials, now }: Pick<S3StorageOptions, "credentials" | "now">): S3Credentials {
  if ("accessKeyId" in credentials) return { get: async () => credentials };
  let session: Session | undefined;
  let askedAt = 0;
  let renewal: Promise<Session> | undefined;

  /** Of several that need new keys one asks, the others wait for it. */
  function renew(identity: S3WebIdentity): Promise<Session> {
    askedAt = now().getTime();
    renewal ??= assumeRole(identity).finally(() => {
      renewal = undefined;
    });
    return renewal;
  }

  return {
    async get(validForSeconds) {
      const at = now().getTime();
      const leftMs = session === undefined ? 0 : session.expiresAt - at;
      const isEnough = leftMs > validForSeconds * 1000 + reserveMs || at - askedAt < pauseMs;
      if (session !== undefined && leftMs > 0 && isEnough) return session.keys;
      try {
        session = await renew(credentials);
      } catch (error) {
        if (session === undefined || leftMs <= 0) throw error; // else the old keys are still good
      }
      return session.keys;
    },
  };
}

async function assumeRole({ roleArn, webIdentityTokenFile, stsUrl }: S3WebIdentity): Promise<Session> {
  const token = await readFile(webIdentityTokenFile, "utf8").catch((cause: unknown) => {
    throw refused(`the token file ${webIdentityTokenFile} cannot be read: ${messageOf(cause)}`, cause);
  });
  const form = new URLSearchParams({
    Action: "AssumeRoleWithWebIdentity",
    Version: "2011-06-15",
    RoleArn: roleArn,
    RoleSessionName: "aether",
    WebIdentityToken: token.trim(),
  });
  const response = await fetch(stsUrl, { method: "POST", body: form, signal: AbortSignal.timeout(15_000) }).catch(
    (cause: unknown) => {
      throw refused(`${stsUrl} cannot be reached: ${networkReason(cause)}`, cause);
    },
  );
  const text = await response.text();
  const parsed = assumedRole.safeParse(readXml(text));
  if (!parsed.success) {
    const { Code = "", Message = "" } = errorIn(text) ?? {}; // never the token
    throw refused(`${stsUrl} answered ${response.status} ${Code} ${Message}`.replace(/[\s.]+$/, ""), parsed.error);
  }
  const { Credentials } = parsed.data.AssumeRoleWithWebIdentityResponse.AssumeRoleWithWebIdentityResult;
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = Credentials;
  return {
    keys: { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken },
    expiresAt: Expiration.getTime(),
  };
}

const refused = (why: string, cause: unknown): AetherError =>
  new AetherError("service_unavailable", `The web identity gave no credentials for the artifact storage: ${why}.`, {
    cause,
    hint: "Check AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE and the trust of the role.",
  });
