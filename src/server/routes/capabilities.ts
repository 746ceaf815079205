import { createRoute, z } from "@hono/zod-openapi";
import { commit, version } from "../../core/version.ts";
import type { Capabilities } from "../../core/wire.ts";
import { failures, json } from "../openapi.ts";
import { createRouter } from "../router.ts";

const view = z
  .object({
    version: z.string(),
    commit: z.string(),
    oldest_client: z.string(),
    runtime: z.object({
      kind: z.string(),
      os: z.string(),
      arch: z.string(),
      libc: z.string(),
      node: z.string().nullable(),
    }),
    limits: z.object({
      max_artifact_size_bytes: z.number(),
      multipart_threshold_bytes: z.number(),
      multipart_part_size_bytes: z.number(),
    }),
    features: z.array(z.string()),
  })
  .openapi("Capabilities") satisfies z.ZodType<Capabilities>;

const show = createRoute({
  method: "get",
  path: "/capabilities",
  operationId: "capabilities.show",
  summary: "What this server is and can do",
  responses: { ...failures, 200: json(view, "Its version, runtime and limits") },
});

/** Mounted at /. */
export const capabilityRoutes = createRouter().openapi(show, async (c) => {
  const { runtime, settings } = c.var.control;
  const { os, arch, libc, node } = await runtime.platform();
  return c.json(
    {
      version,
      commit,
      oldest_client: "0.1.0",
      runtime: { kind: runtime.kind, os, arch, libc, node: node ?? null },
      limits: {
        max_artifact_size_bytes: settings.maxArtifactSizeBytes,
        multipart_threshold_bytes: settings.multipartThresholdBytes,
        multipart_part_size_bytes: settings.multipartPartSizeBytes,
      },
      features: [
        "multipart",
        "legacy-upload",
        ...(settings.directUpload ? ["direct-upload"] : []),
        ...(settings.requireSignature ? ["signatures-required"] : []),
      ],
    },
    200,
  );
});
