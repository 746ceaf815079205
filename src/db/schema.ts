/** Every table, one file a noun. */
export * from "./schema/access.ts";
export * from "./schema/apps.ts";
export * from "./schema/artifacts.ts";
export * from "./schema/audit.ts";
export * from "./schema/deployments.ts";
export * from "./schema/webhooks.ts";
