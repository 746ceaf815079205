import { html, raw } from "hono/html";
import { documents } from "../../docs/index.ts";
import { AetherError } from "../../lib/errors.ts";
import { createRouter } from "../router.ts";

/** Mounted at /: the documentation, from inside the binary. */
export const docRoutes = createRouter();

docRoutes.get("/", (c) => c.redirect("/docs/getting-started"));
docRoutes.get("/docs", (c) => c.redirect("/docs/getting-started"));

docRoutes.get("/docs/:name", (c) => {
  const name = c.req.param("name");
  const text = Object.hasOwn(documents, name) ? documents[name] : undefined;
  if (text === undefined) throw new AetherError("not_found", `There is no document "${name}".`, { hint: "See /docs." });
  return c.html(page(name, Bun.markdown.html(text)));
});

function page(current: string, body: string) {
  const links = Object.keys(documents).map(
    (name) =>
      html`<a href="/docs/${name}" ${name === current ? raw('aria-current="page"') : ""}>${name.replaceAll("-", " ")}</a>`,
  );
  links.push(html`<a href="/docs/api">API</a>`);
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>aether: ${current}</title>
<style>
  body { font: 16px/1.6 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #1d2430; background: #fff }
  nav { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; border-bottom: 1px solid #dde2ea; padding-bottom: .6rem; text-transform: capitalize }
  a { color: #1858c9; text-decoration: none } nav a { white-space: nowrap } a[aria-current] { color: inherit; font-weight: 600 }
  pre { background: #f4f6f9; padding: .8rem 1rem; overflow-x: auto; border-radius: 6px } code { font: 14px ui-monospace, monospace }
  table { border-collapse: collapse } th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #eef1f5; vertical-align: top }
  @media (prefers-color-scheme: dark) { body { color: #dfe5ee; background: #12161d } pre { background: #1b212b } a { color: #7fb0ff } th, td, nav { border-color: #2a3240 } }
</style>
<nav>${links}</nav>
<main>${raw(body)}</main>
</html>`;
}
