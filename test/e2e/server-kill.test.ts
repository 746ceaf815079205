import { expect, test } from "bun:test";
import { createUser, startServe } from "../harness/binary.ts";
import { digestOf, put, someBytes } from "../harness/control-plane.ts";
import { randomFrom, testSeed } from "../harness/random.ts";
import { waitFor } from "../harness/wait-for.ts";

const kills = process.env.AETHER_TEST_FULL === "1" ? 20 : 4;

/** What the server said it has done. */
interface Acknowledged {
  apps: string[];
  digests: string[];
}

test(`${kills} kills of the compiled server at any moment lose no write it had acknowledged`, async () => {
  const seed = testSeed();
  const random = randomFrom(seed);
  await using user = await createUser();
  const all: Acknowledged = { apps: [], digests: [] };
  for (let round = 0; round < kills; round += 1) {
    const killed = await writeAndKill(await startServe(user), { round, random });
    await using next = await startServe(user);
    all.apps.push(...killed.apps);
    all.digests.push(...killed.digests);
    const [apps, artifacts] = [await listAll(next.api, "/apps"), await listAll(next.api, "/artifacts")];
    const where = `seed ${seed}, kill ${round}`;
    expect(missing(all.apps, new Set(apps.map(({ name }) => name))), where).toEqual([]);
    expect(missing(all.digests, new Set(artifacts.map(({ digest }) => digest))), where).toEqual([]);
    for (const digest of killed.digests) expect(await storedDigest(next.api, digest), where).toBe(digest);
  }
  expect(Math.min(all.apps.length, all.digests.length)).toBeGreaterThan(0);
}, 300_000);

type Server = Awaited<ReturnType<typeof startServe>>;

/** Four clients write at once; after a random number of acknowledgements, and a moment more, the server is gone. */
async function writeAndKill(server: Server, { round, random }: { round: number; random: () => number }) {
  const acknowledged: Acknowledged = { apps: [], digests: [] };
  const enough = 1 + Math.floor(random() * 60);
  let isKilled = false;

  async function repeat(write: (n: number) => Promise<void>): Promise<void> {
    for (let n = 0; !isKilled; n += 1) {
      try {
        await write(n);
      } catch (error) {
        if (!isKilled || error instanceof Refused) throw error; // only the kill may cut a request off
      }
    }
  }
  async function writeApp(name: string): Promise<void> {
    await post(server.api, "/apps", { name });
    acknowledged.apps.push(name);
  }
  async function writeArtifact(client: string, n: number): Promise<void> {
    const bytes = someBytes(`${client} ${n}\n`.repeat(1 + ((n * 997) % 5000)));
    const artifact = { app_name: client, digest: digestOf(bytes), size_bytes: bytes.length };
    const stored = await put(await post(server.api, "/artifacts/presign", artifact), bytes);
    if (!stored.ok) throw new Refused(`PUT: ${stored.status} ${await stored.text()}`);
    await post(server.api, "/artifacts/complete", artifact);
    acknowledged.digests.push(artifact.digest);
  }

  const clients = [1, 2].flatMap((client) => [
    repeat((n) => writeApp(`app-${round}-${client}-${n}`)),
    repeat((n) => writeArtifact(`files-${round}-${client}`, n)),
  ]);
  const count = () => acknowledged.apps.length + acknowledged.digests.length;
  try {
    await Promise.race([waitFor("acknowledged writes", () => count() >= enough), ...clients]);
    await Bun.sleep(random() * 10); // somewhere inside the next writes
  } finally {
    isKilled = true;
    await server.kill();
  }
  await Promise.all(clients);
  return acknowledged;
}

/** The server was there, and said no. */
class Refused extends Error {}

async function post(api: string, path: string, body: object) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${api}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Refused(`POST ${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}

async function listAll(api: string, path: string): Promise<Record<string, string>[]> {
  const found: Record<string, string>[] = [];
  for (;;) {
    const response = await fetch(`${api}${path}?limit=1000&offset=${found.length}`);
    const page = (await response.json()) as Record<string, string>[];
    found.push(...page);
    if (page.length < 1000) return found;
  }
}

/** SHA-256 of the bytes that an agent would be given under this digest. */
async function storedDigest(api: string, digest: string): Promise<string> {
  const response = await fetch(`${api}/artifacts/${digest}/download`);
  return digestOf(new Uint8Array(await response.arrayBuffer()));
}

const missing = (expected: string[], found: Set<string | undefined>): string[] =>
  expected.filter((each) => !found.has(each));
