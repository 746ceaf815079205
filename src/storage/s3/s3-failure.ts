import { misconfiguredReason } from "../../core/wire.ts";
import { AetherError, type FailureCode } from "../../lib/errors.ts";
import { networkReason } from "../../lib/network-reason.ts";
import { errorIn } from "./s3-xml.ts";

/** What the store answered instead of what was asked for, in the words of the store and of people. */
export class S3Failure extends AetherError {
  /** The HTTP status, 0 when no whole answer came. */
  readonly httpStatus: number;
  /** The store's own code, such as `NoSuchUpload`. */
  readonly s3Code: string | undefined;
  /** Whether the same request may succeed a moment later. */
  readonly isTransient: boolean;

  constructor(
    answer: { httpStatus: number; s3Code?: string | undefined; isTransient: boolean },
    message: string,
    options: ErrorOptions & { hint?: string | undefined; code?: FailureCode; details?: Record<string, unknown> } = {},
  ) {
    super(options.code ?? "service_unavailable", message, options);
    this.httpStatus = answer.httpStatus;
    this.s3Code = answer.s3Code;
    this.isTransient = answer.isTransient;
  }
}

/** Whether `error` is the store's refusal with this code. */
export const isS3Code = (error: unknown, ...codes: string[]): error is S3Failure =>
  error instanceof S3Failure && codes.includes(error.s3Code ?? "");

/** Where a request went, for messages. */
export interface S3Place {
  bucket: string;
  baseUrl: string;
}

/** The failure that a refusing answer tells of; its body is XML, or empty for HEAD. */
export function refusal(response: Response, body: string, place: S3Place): S3Failure {
  const { Code: s3Code, Message: said } = errorIn(body) ?? {};
  const { status } = response;
  const known = s3Code === undefined ? undefined : explanations[s3Code]?.(place, response);
  if (known !== undefined) {
    const [message, { hint }] = known;
    const details = { reason: misconfiguredReason };
    return new S3Failure({ httpStatus: status, s3Code, isTransient: false }, message, { hint, details });
  }
  const isTransient = transientStatuses.has(status) || transientCodes.has(s3Code ?? "");
  const what = [status, s3Code].filter((part) => part !== undefined).join(" ");
  return new S3Failure(
    { httpStatus: status, s3Code, isTransient },
    `The artifact storage at ${place.baseUrl} answered ${what}${said ? `: ${said.replace(/\.$/, "")}` : ""}.`,
    isTransient ? { hint: "The storage is overloaded or in trouble; try again in a while." } : {},
  );
}

/** The failure that a broken connection, a missing host or a silent store is. */
export function broken(cause: unknown, { baseUrl }: S3Place): S3Failure {
  return new S3Failure(
    { httpStatus: 0, isTransient: true },
    `The artifact storage at ${baseUrl} cannot be reached: ${networkReason(cause)}.`,
    { cause, hint: "Check AETHER_S3_BASE_URL and the network between this server and the storage." },
  );
}

const transientStatuses = new Set([408, 429, 500, 502, 503, 504]);
const transientCodes = new Set([
  "SlowDown",
  "InternalError",
  "RequestTimeout",
  "OperationAborted",
  "ServiceUnavailable",
]);

type Explanation = [message: string, options: { hint: string }];

const wrongKeys = ({ baseUrl }: S3Place): Explanation => [
  `The artifact storage at ${baseUrl} does not know the access key.`,
  { hint: "Correct AETHER_S3_ACCESS_KEY, or the AWS_* variables." },
];
const expiredKeys = ({ baseUrl }: S3Place): Explanation => [
  `The artifact storage at ${baseUrl} refuses the session token: it is wrong or has expired.`,
  { hint: "Give the server fresh credentials, or a web identity, which it renews by itself." },
];
const wrongRegion = ({ bucket, baseUrl }: S3Place, { headers }: Response): Explanation => [
  `The bucket ${bucket} is not in the region that requests to ${baseUrl} are signed for.`,
  { hint: `Set AETHER_S3_REGION${regionOf(headers)}.` },
];
const regionOf = (headers: Headers): string => {
  const region = headers.get("x-amz-bucket-region");
  return region === null ? " to the bucket's region" : `=${region}`;
};

/** What an operator can mend, by the store's code. */
const explanations: Record<string, (place: S3Place, response: Response) => Explanation> = {
  NoSuchBucket: ({ bucket, baseUrl }) => [
    `There is no bucket ${bucket} at ${baseUrl}.`,
    { hint: "Create it, or correct AETHER_S3_BUCKET." },
  ],
  InvalidAccessKeyId: wrongKeys,
  InvalidSecurity: wrongKeys,
  XAdminUserNotFound: wrongKeys, // Versity's gateway
  SignatureDoesNotMatch: ({ baseUrl }) => [
    `The artifact storage at ${baseUrl} refuses the signature of this server.`,
    { hint: "Correct AETHER_S3_SECRET_KEY; a proxy in between must not change the Host header." },
  ],
  AccessDenied: ({ bucket, baseUrl }) => [
    `The artifact storage at ${baseUrl} does not let these credentials use the bucket ${bucket}.`,
    { hint: "Give them the rights that the documentation lists under /docs/storage." },
  ],
  ExpiredToken: expiredKeys,
  InvalidToken: expiredKeys,
  InvalidTokenId: expiredKeys,
  AuthorizationHeaderMalformed: wrongRegion,
  PermanentRedirect: wrongRegion,
  IllegalLocationConstraintException: wrongRegion,
  RequestTimeTooSkewed: ({ baseUrl }, { headers }) => [
    `The clocks of this server and of the artifact storage at ${baseUrl} differ by more than 15 minutes.`,
    { hint: `Set this server's clock right (NTP)${theirTime(headers)}.` },
  ],
};

function theirTime(headers: Headers): string {
  const date = headers.get("date");
  return date === null ? "" : `; the storage says that it is ${date}`;
}
