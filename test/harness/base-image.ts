import { existsSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { longKubernetesTier } from "./kubernetes.ts";
import { type Tier, tier } from "./tier.ts";

const root = join(import.meta.dir, "..", "..");
const builder = join(root, "..", "shared", "testbed", "build-image");

/** The folder of an image's Dockerfile. */
export const imageFolder = (major: number): string => join(root, "k8s", "images", `aether-nodejs-${major}-slim`);

/** Whether images can be built here and put into the cluster of the tests. */
export function baseImageTier(): Tier {
  if (!longKubernetesTier().available)
    return { name: "base-image", available: false, reason: "its cluster is not there" };
  return tier("base-image", () => (existsSync(builder) ? undefined : "the testbed's build-image is not there"));
}

let server: Promise<string> | undefined;

/** The name of the image of `aether serve` with the compiled binary, built once a process. */
export function serverImage(): Promise<string> {
  server ??= (async () => {
    const name = "aether:test";
    const dockerfile = join(root, "k8s", "images", "aether", "Dockerfile");
    const where = ["-f", dockerfile, "--build-arg", "BASE=node:20-slim", "--build-arg", "OFFLINE=1"];
    await $`${builder} ${name} ${join(root, "dist")} ${where}`.quiet();
    return name;
  })();
  return server;
}

let built: Promise<string> | undefined;

/** The name of the image of Node.js 20, built once a process from the base that the testbed has. */
export function baseImage(): Promise<string> {
  built ??= (async () => {
    const name = "aether-nodejs:20-slim";
    const where = ["--build-arg", "BASE=node:20-slim", "--build-arg", "OFFLINE=1"];
    await $`${builder} ${name} ${imageFolder(20)} ${where}`.quiet();
    return name;
  })();
  return built;
}
