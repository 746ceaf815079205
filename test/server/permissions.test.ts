import { afterAll, expect, test } from "bun:test";
import { agentToken } from "../harness/control-plane.ts";
import { permissionsForAllApps, permissionTable, type Rule, type Sample } from "../harness/permission-table.ts";
import { identifyPod, podToken } from "../harness/pod-tokens.ts";
import { adminToken, bearer, createGuardedHarness } from "../harness/tokens.ts";
import { upgradeStatus } from "../harness/web-socket.ts";

const aether = await createGuardedHarness({ http: { identifyPod } });
afterAll(() => aether[Symbol.asyncDispose]());

const make = async (role: string, apps?: string[]) =>
  (await aether.makeToken({ role, ...(apps === undefined ? {} : { apps }) })).token;

async function expired(): Promise<string> {
  const { token } = await aether.makeToken({ role: "admin", expires_in_secs: 1 });
  aether.advance(1_000);
  return token;
}

async function revoked(): Promise<string> {
  const { id, token } = await aether.makeToken({ role: "admin" });
  await aether.as(adminToken, "DELETE", `/tokens/${id}`);
  return token;
}

await aether.store("other", new Uint8Array([1]), bearer(adminToken));
await aether.store("shop", new Uint8Array([2]), bearer(adminToken));

/** Each kind of caller with its `Authorization`, and what it is answered: by rule, else with `otherwise`. */
const callers: { caller: string; authorization: string; answers: Partial<Record<Rule, string>>; otherwise: string }[] =
  [
    ...Object.entries({
      "no token": "",
      "a malformed token": "Bearer aether_xyz",
      "two tokens": `Bearer ${adminToken} ${adminToken}`,
      "another scheme": `Basic ${adminToken}`,
      "an expired token": `Bearer ${await expired()}`,
      "a revoked token": `Bearer ${await revoked()}`,
    }).map(([caller, authorization]) => ({ caller, authorization, answers: { open: "2xx" }, otherwise: "401" })),
    {
      caller: "a reader",
      authorization: `Bearer ${await make("reader")}`,
      answers: { pods: "403", writes: "403", admin: "403", hidden: "404", hiddenWrites: "403" },
      otherwise: "2xx",
    },
    {
      caller: "a reader of the app",
      authorization: `Bearer ${await make("reader", ["shop", "ghost"])}`,
      answers: { pods: "403", writes: "403", admin: "403", allApps: "403", hidden: "404", hiddenWrites: "403" },
      otherwise: "2xx",
    },
    {
      caller: "a reader of another app",
      authorization: `Bearer ${await make("reader", ["other"])}`,
      answers: {
        pods: "403",
        reads: "404",
        writes: "403",
        admin: "403",
        allApps: "403",
        hidden: "404",
        hiddenWrites: "403",
      },
      otherwise: "2xx",
    },
    {
      caller: "a deployer",
      authorization: `Bearer ${await make("deployer")}`,
      answers: { pods: "403", admin: "403", hidden: "404", hiddenWrites: "404" },
      otherwise: "2xx",
    },
    {
      caller: "a deployer of the app",
      authorization: `Bearer ${await make("deployer", ["shop"])}`,
      answers: { pods: "403", admin: "403", allApps: "403", hidden: "404", hiddenWrites: "404" },
      otherwise: "2xx",
    },
    {
      caller: "a deployer of another app",
      authorization: `Bearer ${await make("deployer", ["other"])}`,
      answers: {
        pods: "403",
        reads: "404",
        writes: "404",
        admin: "403",
        allApps: "403",
        hidden: "404",
        hiddenWrites: "404",
      },
      otherwise: "2xx",
    },
    { caller: "an admin", authorization: `Bearer ${await make("admin")}`, answers: { pods: "403" }, otherwise: "2xx" },
    {
      caller: "the environment's admin",
      authorization: `Bearer ${adminToken}`,
      answers: { pods: "403" },
      otherwise: "2xx",
    },
  ];

interface Operation {
  operationId: string;
  security?: unknown[];
}
const { body: document } = await aether.send("GET", "/openapi.json");
const operations = Object.values(document.paths as Record<string, Record<string, Operation>>).flatMap((methods) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), ...operation })),
);

test("every operation has its line in the permission table, and the table no others", () => {
  expect(operations.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(permissionTable).sort());
});

test("the document says of the same routes that they need no token", () => {
  const open = Object.keys(permissionTable).filter((id) => permissionTable[id]?.rule === "open");
  expect(operations.flatMap(({ operationId, security }) => (security?.length === 0 ? [operationId] : []))).toEqual(
    open,
  );
});

test.each(operations)("$operationId answers each kind of caller as the table says", ({ operationId, method }) =>
  expectAnswers(method, permissionTable[operationId]),
);

test.each(operations.filter(({ operationId }) => operationId in permissionsForAllApps))(
  "$operationId answers each kind of caller about what is for all apps as the table says",
  ({ operationId, method }) => expectAnswers(method, permissionsForAllApps[operationId]),
);

test("a list of webhooks shows those for all apps to admins only", async () => {
  await ask("POST", await permissionsForAllApps["webhooks.create"]?.sample(aether), `Bearer ${adminToken}`);
  const shown = await Promise.all(
    callers.slice(6).map(async ({ caller, authorization }) => {
      const { body } = await aether.send("GET", "/webhooks", undefined, { authorization });
      return [caller, body.some(({ app }: { app: string | null }) => app === null)];
    }),
  );
  expect(shown).toEqual(callers.slice(6).map(({ caller }) => [caller, caller.endsWith("admin")]));
});

async function expectAnswers(method: string, line: (typeof permissionTable)[string] | undefined): Promise<void> {
  const { rule, sample } = line ?? { rule: "any" as const, sample: () => ({ path: "/nowhere" }) };
  const found: [string, string][] = [];
  for (const { caller, authorization } of callers) {
    const answer = await ask(method, await sample(aether), authorization);
    found.push([caller, answer]);
  }
  expect(found).toEqual(callers.map(({ caller, answers, otherwise }) => [caller, answers[rule] ?? otherwise]));
}

test.each(operations)("$operationId opens to an agent's token for downloads only", async ({ operationId, method }) => {
  const { rule, sample } = permissionTable[operationId] ?? { rule: "any", sample: () => ({ path: "/nowhere" }) };
  const expected = rule === "open" || operationId === "artifacts.download" ? "2xx" : "401";
  expect(await ask(method, await sample(aether), `Bearer ${agentToken}`)).toBe(expected);
});

test.each(operations)(
  "$operationId opens to a pod's token for downloads and reports only",
  async ({ operationId, method }) => {
    const { rule, sample } = permissionTable[operationId] ?? { rule: "any", sample: () => ({ path: "/nowhere" }) };
    const isForPods = rule === "pods" || operationId === "artifacts.download";
    const expected = rule === "open" || isForPods ? "2xx" : "401";
    expect(await ask(method, await sample(aether), `Bearer ${podToken("shop")}`)).toBe(expected);
    if (!isForPods) return;
    expect(await ask(method, await sample(aether), `Bearer ${podToken("other")}`)).toBe("403");
  },
);

/** The class of the answer; an app that exists already was created by who may. */
async function ask(
  method: string,
  { path, body, form, headers = {}, isSocket = false }: Sample = { path: "/nowhere" },
  authorization: string,
): Promise<string> {
  if (isSocket) {
    const status = await upgradeStatus(`${aether.api}${path}`, authorization === "" ? {} : { authorization });
    return status === 101 ? "2xx" : String(status);
  }
  const json = body === undefined ? {} : { "content-type": "application/json" };
  const response = await fetch(`${aether.api}${path}`, {
    method,
    redirect: "manual",
    headers: { ...json, ...headers, ...(authorization === "" ? {} : { authorization }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(form === undefined ? {} : { body: form }),
  });
  const isStream = response.headers.get("content-type") === "text/event-stream";
  const text = isStream ? "" : await response.text();
  if (isStream) await response.body?.cancel();
  if (response.status < 400 || (response.status === 409 && text.includes("exists already"))) return "2xx";
  expect(JSON.parse(text)).toMatchObject({ code: expect.any(String), request_id: expect.any(String) });
  return String(response.status);
}
