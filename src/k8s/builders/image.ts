import type { AppRelease } from "./app-release.ts";

/** The release's image, with its Node version in place of `{major}`. */
export const runtimeImage = ({ runtimeImage: image, nodeMajor }: AppRelease): string =>
  image.replaceAll("{major}", String(nodeMajor));
