declare const AETHER_VERSION: string | undefined;
declare const AETHER_COMMIT: string | undefined;

/** The version of this build; `0.0.0-dev` when it runs from source. */
export const version = typeof AETHER_VERSION === "string" ? AETHER_VERSION : "0.0.0-dev";

/** The commit this build was made from; `unknown` when it runs from source. */
export const commit = typeof AETHER_COMMIT === "string" ? AETHER_COMMIT : "unknown";
