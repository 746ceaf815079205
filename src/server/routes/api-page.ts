import { html, raw } from "hono/html";
import { assets } from "../../docs/assets.ts";
import { AetherError } from "../../lib/errors.ts";
import { createRouter } from "../router.ts";

/** Mounted at /: the API's document as a page that tries requests out, from inside the binary. */
export const apiPageRoutes = createRouter();

apiPageRoutes.get("/swagger", (c) => c.redirect("/docs/api"));

apiPageRoutes.get("/docs/api", (c) => c.html(page));

apiPageRoutes.get("/docs/assets/:name", async (c) => {
  const name = c.req.param("name");
  if (name === "start.js") return c.body(start, 200, { "content-type": "text/javascript; charset=utf-8" });
  const asset = Object.hasOwn(assets, name) ? assets[name] : undefined;
  if (asset === undefined) throw new AetherError("not_found", `There is no "${name}" here.`, { hint: "See /docs." });
  return c.body(await Bun.file(asset.path).arrayBuffer(), 200, {
    "content-type": asset.type,
    "cache-control": "max-age=3600",
  });
});

// A file of its own: the pages of this server run no scripts that stand in them.
const start = `SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#api", deepLinking: true, displayOperationId: true, displayRequestDuration: true,
  validatorUrl: null, defaultModelsExpandDepth: 0, tagsSorter: "alpha",
});
`;

const page = html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>aether: API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<style>body { margin: 0 } nav { font: 16px/1.6 system-ui, sans-serif; padding: .8rem 1.3rem } a { color: #1858c9; text-decoration: none }</style>
<nav><a href="/docs">aether documentation</a></nav>
<div id="api"></div>
${raw('<script src="/docs/assets/swagger-ui.js"></script><script src="/docs/assets/start.js"></script>')}
</html>`;
