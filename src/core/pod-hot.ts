// What the builders write into a dev-hot pod and the agent finds there, beside `pod-agent.ts`. Both sides import this.

/** Files of the control volume, which the fetcher writes and the application's container can only read. */
export const hotNames = {
  wish: "wish.json",
  preload: "preload.cjs",
  run: "run",
  /** In the workspace: the supervisor's word. */
  status: ".aether-status",
} as const;
