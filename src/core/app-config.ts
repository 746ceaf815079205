/**
 * How an application starts, as found on the laptop. Written to `.aether/app.json` inside the artifact and sent with
 * the deployment, so that the server knows it without reading the artifact.
 */
export interface AppConfig {
  /** A shell command, run by `sh -c` in the application's folder with `node_modules/.bin` on PATH. */
  start: string;
  /** The port the application listens on when it ignores `PORT`; absent when it follows `PORT`. */
  port?: number | undefined;
  /** The Node versions that the application accepts, a semver range. */
  node?: string | undefined;
  /** An HTTP path that answers 2xx or 3xx when the application is ready; absent: any HTTP answer to `/`. */
  health?: { path: string } | undefined;
  /** Kubernetes' amounts (`250m`, `256Mi`) that each replica has; not in the artifact, and nothing to the local runtime. */
  resources?: { cpu?: string | undefined; memory?: string | undefined } | undefined;
}
