import { expect, test } from "bun:test";
import { networkReason } from "../../src/lib/network-reason.ts";

test("a connection that is cut is told without Bun's own advice", async () => {
  using cutting = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void socket.terminate() },
  });
  const error = await fetch(`http://127.0.0.1:${cutting.port}`).catch((thrown: unknown) => thrown);
  expect(networkReason(error)).toBe("the other side closed it");
});

test("a port where nothing listens is told as that", async () => {
  const error = await fetch("http://127.0.0.1:1").catch((thrown: unknown) => thrown);
  expect(networkReason(error)).toBe("nothing listens there");
});

test("advice about fetch never reaches people, whatever the failure is", () => {
  const text = "It broke. For more information, pass `verbose: true` in the second argument to fetch()";
  expect(networkReason(new Error(text))).toBe("It broke");
});
