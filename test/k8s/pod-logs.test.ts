import { expect, test } from "bun:test";
import { openByKubeconfig, refusal, serveApi } from "../harness/api-server.ts";
import { failureOf } from "../harness/failure-of.ts";
import { waitFor } from "../harness/wait-for.ts";

const pod = { namespace: "apps", name: "shop-1" };

test("what is asked of a log is sent, and what comes is split into lines, the last one too", async () => {
  await using server = serveApi(() => new Response("one\n\ntwo\nrest"));
  await using opened = await openByKubeconfig({ server: server.url });
  const options = { container: "app", previous: true, sinceTime: "2026-01-01T00:00:00Z", tailLines: 5 };
  const lines = await opened.cluster.logs(pod, options, new AbortController().signal);
  expect(await Array.fromAsync(lines)).toEqual(["one", "", "two", "rest"]);
  const [asked] = server.requests;
  expect(asked?.path).toBe("/api/v1/namespaces/apps/pods/shop-1/log");
  expect(Object.fromEntries(asked?.query ?? [])).toEqual({
    container: "app",
    previous: "true",
    sinceTime: "2026-01-01T00:00:00Z",
    tailLines: "5",
  });
});

test("a line without an end is given in pieces, never held whole", async () => {
  await using server = serveApi(() => new Response("x".repeat(1_000_000)));
  await using opened = await openByKubeconfig({ server: server.url });
  const lines = await Array.fromAsync(await opened.cluster.logs(pod, {}, new AbortController().signal));
  expect(lines.join("")).toHaveLength(1_000_000);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(256 * 1024);
});

test("who stops reading, and who ends it by a signal, leaves no connection behind", async () => {
  let open = 0;
  await using server = serveApi(
    () =>
      new Response(
        new ReadableStream({
          start(controller) {
            open += 1;
            controller.enqueue(new TextEncoder().encode("one\ntwo\n"));
          },
          cancel() {
            open -= 1;
          },
        }),
      ),
  );
  await using opened = await openByKubeconfig({ server: server.url });
  for await (const _line of await opened.cluster.logs(pod, { follow: true }, new AbortController().signal)) break;
  await waitFor("the first to be let go", () => open === 0);

  const end = new AbortController();
  const seen: string[] = [];
  for await (const line of await opened.cluster.logs(pod, { follow: true }, end.signal)) {
    seen.push(line);
    if (line === "two") end.abort();
  }
  expect(seen).toEqual(["one", "two"]);
  await waitFor("the second to be let go", () => open === 0);
});

test("a log that cannot be read says why", async () => {
  const message = 'container "app" in pod "shop-1" is waiting to start: ContainerCreating';
  await using server = serveApi(() => refusal(400, { reason: "BadRequest", message }));
  await using opened = await openByKubeconfig({ server: server.url });
  expect(await failureOf(opened.cluster.logs(pod, {}, new AbortController().signal))).toMatchObject({
    problem: "invalid",
    message: expect.stringContaining("is waiting to start"),
  });
});
