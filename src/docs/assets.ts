// Relative paths, because only those are carried inside a compiled binary.

import style from "../../node_modules/swagger-ui-dist/swagger-ui.css" with { type: "file" };
import script from "../../node_modules/swagger-ui-dist/swagger-ui-bundle.js" with { type: "file" };

/** What the API's documentation page loads, by the name it has under /docs/assets. */
export const assets: Record<string, { path: string; type: string }> = {
  "swagger-ui.js": { path: script, type: "text/javascript; charset=utf-8" },
  "swagger-ui.css": { path: style, type: "text/css; charset=utf-8" },
};
