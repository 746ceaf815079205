/** What a token may do: everything; writes to its apps; reading. */
export const roles = ["admin", "deployer", "reader"] as const;
export type Role = (typeof roles)[number];
