const int32 = 2 ** 31 - 1;

/** What an app's own quotas and retention may be, by their names in the API. */
export const appLimitBounds = {
  max_artifacts: { min: 0, max: int32 },
  max_total_bytes: { min: 0, max: Number.MAX_SAFE_INTEGER },
  retain_latest: { min: 1, max: int32 },
  retain_max_age_secs: { min: 1, max: 3_000_000_000 }, // Postgres has no time that is much further back
} as const;
