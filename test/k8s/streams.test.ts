import { describe, expect, test } from "bun:test";
import { once } from "node:events";
import { PassThrough, Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { $ } from "bun";
import { failureOf } from "../harness/failure-of.ts";
import { kubernetesTier, openTestClusterBy } from "../harness/kubernetes.ts";
import { createNamespace } from "../harness/namespace.ts";
import { startPod } from "../harness/pod.ts";
import { waitFor } from "../harness/wait-for.ts";

describe.skipIf(!kubernetesTier().available)("with pods of a real cluster", () => {
  test("a command runs in a container, with its output apart, its input and its exit code", async () => {
    await using space = await createNamespace();
    const pod = await startPod(space, "sleep 600");
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];

    const code = await space.cluster.exec(pod, {
      container: "main",
      command: ["sh", "-c", "cat; echo bad >&2; exit 7"],
      stdin: Readable.from([Buffer.from("héllo\n")]),
      stdout,
      stderr,
    });
    expect(code).toBe(7);
    expect(await new Response(stdout as never).text()).toBe("héllo\n");
    expect(await new Response(stderr as never).text()).toBe("bad\n");
    expect(await space.cluster.exec(pod, { container: "main", command: ["true"], stdout: new PassThrough() })).toBe(0);
    expect(
      await failureOf(
        space.cluster.exec(pod, { container: "main", command: ["no-such-program"], stdout: new PassThrough() }),
      ),
    ).toMatchObject({ problem: "failed", message: expect.stringContaining("no-such-program") });
    expect(
      await failureOf(
        space.cluster.exec(
          { ...pod, name: "ghost" },
          { container: "main", command: ["true"], stdout: new PassThrough() },
        ),
      ),
    ).toMatchObject({ problem: "not_found" });
  });

  test("a command that its caller gives up ends with the caller's reason", async () => {
    await using space = await createNamespace();
    const pod = await startPod(space, "sleep 600");
    const end = new AbortController();
    const stdout = new PassThrough();
    stdout.once("data", () => end.abort(new Error("enough")));
    const command = ["sh", "-c", "echo started; sleep 600"];
    const given = space.cluster.exec(pod, { container: "main", command, stdout, signal: end.signal });
    expect(await given.catch((error) => error.message)).toBe("enough");
  });

  test("what a command prints waits for who reads it slowly, and all of it comes", async () => {
    await using space = await createNamespace();
    const pod = await startPod(space, "sleep 600");
    const sizeBytes = 100 * 1024 ** 2;
    const stdout = new PassThrough({ highWaterMark: 64 * 1024 });
    const before = process.memoryUsage().rss;
    const command = ["sh", "-c", `head -c ${sizeBytes} /dev/zero`];
    const exited = space.cluster.exec(pod, { container: "main", command, stdout });
    await once(stdout, "readable");
    await sleep(1_000); // unread, for long enough to send all of it
    expect(stdout.readableLength).toBeLessThan(1024 ** 2);
    let [bytes, peak] = [0, 0];
    for await (const chunk of stdout) {
      bytes += chunk.length;
      peak = Math.max(peak, process.memoryUsage().rss);
    }
    expect(bytes).toBe(sizeBytes);
    expect(await exited).toBe(0);
    expect(peak - before).toBeLessThan(60 * 1024 ** 2);
  });

  test("what is sent to a command waits for it", async () => {
    await using space = await createNamespace();
    const pod = await startPod(space, "sleep 600");
    let given = 0;
    async function* source() {
      for (; given < 400; given += 1) yield Buffer.alloc(256 * 1024);
    }
    const stdout = new PassThrough();
    const command = ["sh", "-c", "until [ -e /tmp/go ]; do sleep 0.1; done; wc -c"];
    const exited = space.cluster.exec(pod, { container: "main", command, stdin: Readable.from(source()), stdout });
    let before = 0;
    const isWaiting = () => {
      const isSame = given > 0 && given === before;
      before = given;
      return isSame;
    };
    await waitFor("the source to wait", isWaiting, { everyMs: 500 });
    expect(given).toBeLessThan(400);
    const go = { container: "main", command: ["touch", "/tmp/go"], stdout: new PassThrough().resume() };
    expect(await space.cluster.exec(pod, go)).toBe(0);
    expect((await new Response(stdout as never).text()).trim()).toBe(String(400 * 256 * 1024));
    expect(await exited).toBe(0);
  });

  test("a terminal has the size that it is given, also later", async () => {
    await using space = await createNamespace();
    const pod = await startPod(space, "sleep 600");
    const stdout = new PassThrough();
    let resize = (_size: { columns: number; rows: number }) => {};
    const onResize = (listener: typeof resize) => {
      resize = listener;
    };
    const terminal = { columns: 100, rows: 30, onResize };
    const command = ["sh", "-c", "read go; stty size; read go; stty size; test -t 1"];
    const stdin = new PassThrough();
    const exited = space.cluster.exec(pod, { container: "main", command, stdin, stdout, terminal });
    let seen = "";
    stdout.setEncoding("utf8").on("data", (text) => {
      seen += text;
    });
    stdin.write("go\r");
    await waitFor("the first size", () => seen.includes("30 100"));
    resize({ columns: 50, rows: 10 });
    await waitFor("the second size", async () => {
      stdin.write("go\r");
      return seen.includes("10 50");
    });
    expect(await exited).toBe(0);
  });

  test("a port of a pod is reached", async () => {
    await using space = await createNamespace();
    const pod = await startPod(space, "echo hello > /tmp/index.html; httpd -f -p 8080 -h /tmp");
    const ask = async (): Promise<string> => {
      const [input, output] = [new PassThrough(), new PassThrough()];
      await using _connection = await space.cluster.portForward(pod, 8080, { input, output });
      input.write("GET /index.html HTTP/1.0\r\n\r\n");
      return await new Response(output as never).text();
    };
    const answer = await waitFor("the server in the pod", () => ask().catch(() => undefined));
    expect(answer).toContain("200 OK");
    expect(answer).toContain("hello");
  });

  test("a port that nothing listens on, and an account without rights, are told", async () => {
    await using space = await createNamespace();
    const pod = await startPod(space, "sleep 600");
    const [input, output] = [new PassThrough(), new PassThrough()];
    const broken = new Promise((resolve) => output.on("error", resolve));
    await using _connection = await space.cluster.portForward(pod, 81, { input, output });
    input.write("hello?");
    expect(await broken).toMatchObject({ problem: "failed", message: expect.stringContaining("connection refused") });

    await space.cluster.apply({
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "nobody", namespace: space.name },
    });
    const token = (await $`kubectl -n ${space.name} create token nobody`.quiet().text()).trim();
    await using nobody = await openTestClusterBy({ token });
    const command = { container: "main", command: ["true"], stdout: new PassThrough() };
    expect(await failureOf(nobody.cluster.exec(pod, command))).toMatchObject({ problem: "forbidden" });
  });

  test("a log is followed as it is written, until it is let go", async () => {
    await using space = await createNamespace();
    const pod = await startPod(space, "i=0; while true; do i=$((i+1)); echo line-$i; sleep 0.1; done");
    const end = new AbortController();
    const lines: string[] = [];
    for await (const line of await space.cluster.logs(pod, { follow: true, timestamps: true }, end.signal)) {
      lines.push(line);
      if (lines.length === 15) end.abort();
    }
    expect(lines.map((line) => line.split(" ")[1])).toEqual(
      Array.from({ length: 15 }, (_, index) => `line-${index + 1}`),
    );
    expect(Date.parse(lines[0]?.split(" ")[0] ?? "")).not.toBeNaN();

    const tail: string[] = [];
    for await (const line of await space.cluster.logs(pod, { tailLines: 2 }, new AbortController().signal))
      tail.push(line);
    expect(tail).toHaveLength(2);
    expect(
      await failureOf(space.cluster.logs(pod, { container: "other" }, new AbortController().signal)),
    ).toMatchObject({ problem: "invalid", message: expect.stringContaining("container other is not valid") });
  });
});
