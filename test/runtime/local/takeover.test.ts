import { expect, test } from "bun:test";
import { createLocalHarness } from "../../harness/local-runtime.ts";
import { abrupt } from "../../harness/tiny-apps.ts";

const full = process.env.AETHER_TEST_FULL === "1";
const swaps = full ? 20 : 4;
const everyMs = full ? 5 : 10;

/** Sends a request every few milliseconds, whatever becomes of the others: kept and fresh connections, quick and slow. */
function startLoad(send: (path: string, headers: Record<string, string>) => Promise<Response>) {
  const failures: string[] = [];
  const seen = new Set<string>();
  const running: Promise<void>[] = [];
  let sent = 0;
  const timer = setInterval(() => {
    sent += 1;
    const path = sent % 10 === 0 ? "/slow/300" : "/";
    const headers: Record<string, string> = sent % 2 === 0 ? {} : { connection: "close" };
    const done = send(path, headers).then(
      async (response) => {
        const text = await response.text();
        if (response.status === 200) seen.add(text);
        else failures.push(`${response.status} ${text}`);
      },
      (error: unknown) => void failures.push(String(error)),
    );
    running.push(done);
  }, everyMs);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(running);
      return { sent, failures, seen: [...seen] };
    },
  };
}

test(`no request fails while ${swaps} releases take over from each other`, async () => {
  await using local = await createLocalHarness();
  await local.deploy(abrupt("v0"), { replicas: 2 });
  const load = startLoad((path, headers) => local.get(path, "shop", { headers }));
  for (let version = 1; version <= swaps; version += 1) {
    expect(await local.deploy(abrupt(`v${version}`), { replicas: 2 })).toMatchObject({ type: "running" });
  }
  const { sent, failures, seen } = await load.stop();
  expect(failures).toEqual([]);
  expect(seen.length).toBeGreaterThan(1);
  expect(await (await local.get("/")).text()).toBe(`v${swaps}`);
  expect(sent).toBeGreaterThan(swaps * 10);
}, 120_000);

test("a slow request that is in flight is finished by the release it came to", async () => {
  await using local = await createLocalHarness();
  await local.deploy(abrupt("old"));
  const slow = local.get("/slow/1000");
  await local.deploy(abrupt("new"));
  expect(await (await local.get("/")).text()).toBe("new");
  expect(await (await slow).text()).toBe("old");
});

test("a request that outlasts the grace does not keep the old release for ever", async () => {
  await using local = await createLocalHarness({ graceMs: 200 });
  await local.deploy(abrupt("old"));
  const slow = local.get("/slow/60000");
  await local.deploy(abrupt("new"));
  expect((await slow).status).toBe(502);
});
