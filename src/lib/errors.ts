/** Failures a person can cause or fix. Anything else is a bug and stays a plain Error. These are what the API answers. */
const wireFailures = {
  bad_request: { status: 400, exit: 20 },
  invalid_digest: { status: 400, exit: 20 },
  missing_digest: { status: 400, exit: 20 },
  digest_mismatch: { status: 400, exit: 20 },
  size_mismatch: { status: 400, exit: 20 },
  size_exceeded: { status: 400, exit: 20 },
  presign_required: { status: 400, exit: 20 },
  signature_invalid: { status: 400, exit: 20 },
  unauthorized: { status: 401, exit: 10 },
  forbidden: { status: 403, exit: 20 },
  signature_required: { status: 403, exit: 20 },
  sbom_required: { status: 403, exit: 20 },
  provenance_required: { status: 403, exit: 20 },
  quota_exceeded: { status: 403, exit: 20 },
  not_found: { status: 404, exit: 20 },
  method_not_allowed: { status: 405, exit: 20 },
  conflict: { status: 409, exit: 20 },
  idempotency_conflict: { status: 409, exit: 20 },
  payload_too_large: { status: 413, exit: 20 },
  rate_limited: { status: 429, exit: 20 },
  internal: { status: 500, exit: 40 },
  service_unavailable: { status: 503, exit: 40 },
} as const;

const failures = {
  ...wireFailures,
  // The command line and the server process: what ends a command.
  usage: { status: 400, exit: 2 },
  not_a_project: { status: 400, exit: 2 },
  config_invalid: { status: 500, exit: 10 },
  preflight_failed: { status: 400, exit: 20 },
  install_failed: { status: 400, exit: 20 },
  build_failed: { status: 400, exit: 20 },
  deployment_failed: { status: 500, exit: 20 },
  artifact_invalid: { status: 400, exit: 20 },
  disk_failed: { status: 500, exit: 30 },
  unreachable: { status: 503, exit: 40 },
  interrupted: { status: 499, exit: 130 },
} as const;

/** A code of the wire contract (design section 4) or of the command line. */
export type FailureCode = keyof typeof failures;

/** The codes an error answer of the API may carry. */
export const wireCodes = Object.keys(wireFailures) as (keyof typeof wireFailures)[];

/** The one error type for what a person can act on: a code, what and why in the message, what to do in the hint. */
export class AetherError extends Error {
  override readonly name = "AetherError";
  readonly code: FailureCode;
  /** What to do next, one sentence. */
  readonly hint: string | undefined;
  /** Further fields for machine-readable output, never secrets. */
  readonly details: Record<string, unknown>;

  constructor(
    code: FailureCode,
    message: string,
    options: ErrorOptions & { hint?: string | undefined; details?: Record<string, unknown> } = {},
  ) {
    super(message, options);
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }

  /** The HTTP status the server answers with. */
  get status(): number {
    return failures[this.code].status;
  }

  /** The process exit code (design section 5). */
  get exitCode(): number {
    return failures[this.code].exit;
  }

  toJSON(): Record<string, unknown> {
    return { code: this.code, message: this.message, ...(this.hint ? { hint: this.hint } : {}), ...this.details };
  }
}

/** True for a code this build knows, so that an answer of another version is not trusted blindly. */
export function isFailureCode(code: unknown): code is FailureCode {
  return typeof code === "string" && Object.hasOwn(failures, code);
}

const diskCodes: Record<string, string> = {
  ENOSPC: "no space is left on the device",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EACCES: "permission is denied",
  EPERM: "the operation is not permitted",
  EMFILE: "too many files are open",
  EIO: "the disk reported an I/O error",
};

/** The system error code (`ENOENT`, `ENOSPC`, …) of an unknown thrown value, if it has one. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Whether what was thrown says that a disk or a quota is used up. */
export function isDiskFull(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOSPC" || code === "EDQUOT";
}

/** Wraps what the file system threw into a `disk_failed` that names the path; other errors pass through unchanged. */
export function asDiskError(error: unknown, doing: string, path: string): unknown {
  const code = systemCode(error);
  const why = code === undefined ? undefined : diskCodes[code];
  if (why === undefined) return error;
  return new AetherError("disk_failed", `Cannot ${doing} ${path}: ${why} (${code}).`, {
    cause: error,
    hint: isDiskFull(error)
      ? "Free some space there and run the command again."
      : "Check the path and its permissions.",
  });
}

const folderCodes: Record<string, string> = {
  EEXIST: "a file is in its place",
  ENOTDIR: "a part of the path is a file",
  ENOENT: "no folder can be made there",
  ENAMETOOLONG: "the path is too long",
  ELOOP: "its links lead in a circle",
};

/** Like `asDiskError`, for making a folder that a person named; elsewhere these codes would hide bugs. */
export function asFolderError(error: unknown, doing: string, folder: string): unknown {
  const code = systemCode(error);
  const why = code === undefined ? undefined : folderCodes[code];
  if (why === undefined) return asDiskError(error, doing, folder);
  return new AetherError("disk_failed", `Cannot ${doing} ${folder}: ${why} (${code}).`, {
    cause: error,
    hint: "Name another folder.",
  });
}

/** The message of an unknown thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
