import { expect, test } from "bun:test";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readCliConfig } from "../../src/config/cli.ts";
import { readSession, writeSession } from "../../src/config/session.ts";
import { temporaryFolder } from "../harness/temporary-folder.ts";

async function home(configToml?: string) {
  const folder = await temporaryFolder();
  const env = { HOME: folder.path, XDG_CONFIG_HOME: join(folder.path, "c"), XDG_CACHE_HOME: join(folder.path, "k") };
  if (configToml !== undefined) {
    await mkdir(join(folder.path, "c", "aether"), { recursive: true });
    await writeFile(join(folder.path, "c", "aether", "config.toml"), configToml);
  }
  return { ...folder, env, session: join(folder.path, "k", "aether", "session.json") };
}

test("flag beats environment beats file beats session beats default", async () => {
  await using place = await home('server = "http://file:1"\napp = "from-file"\n');
  await writeSession(place.session, { server: "http://session:1", tokens: { "http://file:1": "secret" } });
  const env = { ...place.env, AETHER_API_BASE: "http://env:1", AETHER_APP: "from-env" };
  const flags = { server: "http://flag:1/", app: "from-flag" };
  expect(await readCliConfig({ env, flags })).toMatchObject({
    server: "http://flag:1",
    app: "from-flag",
    token: undefined,
  });
  expect(await readCliConfig({ env, flags: {} })).toMatchObject({ server: "http://env:1", app: "from-env" });
  expect(await readCliConfig({ env: place.env, flags: {} })).toMatchObject({
    server: "http://file:1",
    app: "from-file",
    token: "secret",
  });
});

test("with nothing said, the server is this machine's", async () => {
  await using place = await home();
  expect(await readCliConfig({ env: place.env, flags: {} })).toMatchObject({ server: "http://127.0.0.1:8080" });
  await writeSession(place.session, { server: "http://session:1", tokens: {} });
  expect(await readCliConfig({ env: place.env, flags: {} })).toMatchObject({ server: "http://session:1" });
});

test("a token is sent only to the server it was given for", async () => {
  await using place = await home();
  await writeSession(place.session, { server: "http://one:1", tokens: { "http://one:1": "secret" } });
  expect((await readCliConfig({ env: place.env, flags: { server: "http://two:1" } })).token).toBeUndefined();
});

test("the session is readable by its owner only", async () => {
  await using place = await home();
  await writeSession(place.session, { tokens: { "http://one:1": "secret" } });
  expect((await stat(place.session)).mode & 0o777).toBe(0o600);
  expect(await readSession(place.session)).toEqual({ tokens: { "http://one:1": "secret" } });
});

test.each([
  ['servr = "http://x"', 'unknown key "servr"', 'Did you mean "server"?'],
  ["server = 1", '"server" in', undefined],
  ["server = ", "not valid TOML", undefined],
  ['server = "ftp://x"', "not a server address", "Use a URL"],
  ['server = "http://user:pass@x"', "not a server address", "Use a URL"],
])("the file %p is refused", async (content, message, hint) => {
  await using place = await home(content);
  const error = await readCliConfig({ env: place.env, flags: {} }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "config_invalid", exitCode: 10 });
  expect(String(error)).toContain(message);
  if (hint !== undefined) expect(error).toMatchObject({ hint: expect.stringContaining(hint) });
});

test("a damaged session names itself and the way out", async () => {
  await using place = await home();
  await mkdir(join(place.path, "k", "aether"), { recursive: true });
  await writeFile(place.session, "{");
  expect(await readSession(place.session).catch((thrown: unknown) => thrown)).toMatchObject({
    code: "config_invalid",
    hint: "Delete it and run aether login again.",
  });
});
