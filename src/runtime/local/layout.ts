import { join } from "node:path";

/** Where the local runtime keeps things below its folder. */
export interface Layout {
  agent: string;
  /** Records of running replicas, one JSON file each: what a later server cleans up. */
  processes: string;
  apps: string;
  app(app: string): AppLayout;
}

export interface AppLayout {
  folder: string;
  /** HOME of the application: the one place it may keep things over releases. */
  home: string;
  /** `<digest>/` each, shared by the replicas. An application may write there; it is lost with the release. */
  releases: string;
  /** `<generation>/<replica>/<segment>`. */
  logs: string;
}

/** The one place that knows the names of our folders. */
export function createLayout(folder: string): Layout {
  const apps = join(folder, "apps");
  return {
    agent: join(folder, "agent.mjs"),
    processes: join(folder, "processes"),
    apps,
    app(app) {
      const own = join(apps, app);
      return { folder: own, home: join(own, "home"), releases: join(own, "releases"), logs: join(own, "logs") };
    },
  };
}
