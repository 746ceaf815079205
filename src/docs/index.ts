import access from "./access.md" with { type: "text" };
import artifacts from "./artifacts.md" with { type: "text" };
import configuration from "./configuration.md" with { type: "text" };
import deploying from "./deploying.md" with { type: "text" };
import development from "./development.md" with { type: "text" };
import events from "./events.md" with { type: "text" };
import gettingStarted from "./getting-started.md" with { type: "text" };
import kubernetes from "./kubernetes.md" with { type: "text" };
import logs from "./logs.md" with { type: "text" };
import packing from "./packing.md" with { type: "text" };
import releases from "./releases.md" with { type: "text" };
import sessions from "./sessions.md" with { type: "text" };
import signing from "./signing.md" with { type: "text" };
import storage from "./storage.md" with { type: "text" };

/** The documentation inside the binary, in reading order; the key is the path under /docs. */
export const documents: Record<string, string> = {
  "getting-started": gettingStarted,
  deploying,
  releases,
  development,
  kubernetes,
  logs,
  sessions,
  packing,
  signing,
  events,
  storage,
  access,
  artifacts,
  configuration,
};
