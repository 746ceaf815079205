/** A port of 127.0.0.1 that nothing listens on, for a program that cannot be told to take any. */
export function freePort(): number {
  const probe = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port } = probe;
  probe.stop(true);
  if (port === undefined) throw new Error("The machine gave no free port.");
  return port;
}
