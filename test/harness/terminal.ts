import { binary, type User } from "./binary.ts";
import { waitFor } from "./wait-for.ts";

/** `aether` in a terminal of its own, as a person sits at one. */
export function openTerminal(user: User, args: string[], { env, cwd }: { env: Record<string, string>; cwd: string }) {
  let shown = "";
  const child = Bun.spawn([binary, ...args], {
    cwd,
    env: { ...user.env, ...env },
    terminal: {
      cols: 100,
      rows: 30,
      data(_terminal, data) {
        shown += new TextDecoder().decode(data);
      },
    },
  });
  return {
    exited: child.exited,
    type: (text: string) => void child.terminal?.write(text),
    resize: (columns: number, rows: number) => child.terminal?.resize(columns, rows),
    shows: (text: string) => waitFor(`"${text}" on the terminal`, () => shown.includes(text), { withinMs: 20_000 }),
    text: () => shown,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      child.terminal?.close();
    },
  };
}
