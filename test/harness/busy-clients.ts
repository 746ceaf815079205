import { answerOn, ask, type Load, open } from "./strict-load.ts";

const slowMs = 2_000;

/** Requests that take two seconds, one begun every `everyMs`, each on a connection of its own that may be kept. */
export function slowRequests(port: number, everyMs: number): Load {
  return overAndOver(everyMs, { side: 10 }, async (note) => {
    const socket = await open(port);
    try {
      const { status, body } = await ask(socket, `/slow/${slowMs}`, true);
      note(status === 200 ? body : undefined, `${status}`);
    } finally {
      socket.destroy();
    }
  });
}

/** Uploads that take a while, one after another; the answer says how much arrived. */
export function uploads(port: number, { chunks = 20, chunkBytes = 16_384, everyMs = 100 } = {}): Load {
  return overAndOver(10, { side: 1 }, async (note) => {
    const socket = await open(port);
    try {
      const total = chunks * chunkBytes;
      socket.write(`POST /upload HTTP/1.1\r\nHost: shop\r\nContent-Length: ${total}\r\n\r\n`);
      const answer = answerOn(socket, "POST /upload");
      answer.catch(() => undefined); // awaited below; it may come earlier
      for (let sent = 0; sent < chunks; sent += 1) {
        socket.write(Buffer.alloc(chunkBytes));
        await Bun.sleep(everyMs);
      }
      const { body } = await answer;
      const [bytes, name] = body.split(" bytes to ");
      note(Number(bytes) === total ? name : undefined, body);
    } finally {
      socket.destroy();
    }
  });
}

/** An upgraded connection that is spoken on for `forMs`, then another one; what cuts it, or answers late, is a failure. */
export function upgraded(port: number, { forMs }: { forMs: number }): Load {
  return overAndOver(10, { side: 1 }, async (note) => {
    const socket = await open(port);
    try {
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk;
      });
      socket.write("GET /chat HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
      const until = performance.now() + forMs;
      for (let word = 1; performance.now() < until; word += 1) {
        socket.write(`word-${word}.`);
        await Bun.sleep(100);
        if (socket.destroyed || socket.readableEnded)
          return note(undefined, `cut after word ${word}: ${text.slice(-80)}`);
      }
      await Bun.sleep(200);
      const words = [...text.matchAll(/word-(\d+)\./g)].length;
      note(words > 0 && text.includes(" word-1.") ? "spoke" : undefined, text.slice(-80));
    } finally {
      socket.destroy();
    }
  });
}

type Note = (answer: string | undefined, otherwise: string) => void;

function overAndOver(everyMs: number, { side }: { side: number }, work: (note: Note) => Promise<void>): Load {
  const answers = new Map<string, number>();
  const failures: string[] = [];
  let isOver = false;
  const note: Note = (answer, otherwise) => {
    if (answer === undefined) failures.push(otherwise);
    else answers.set(answer, (answers.get(answer) ?? 0) + 1);
  };
  const running = new Set<Promise<void>>();
  const loop = (async () => {
    while (!isOver) {
      const one: Promise<void> = work(note)
        .catch((error) => void failures.push(String(error)))
        .finally(() => running.delete(one));
      running.add(one);
      if (running.size >= side) await Promise.race(running);
      await Bun.sleep(everyMs);
    }
  })();
  return {
    answers,
    failures,
    async stop() {
      isOver = true;
      await loop;
      await Promise.all(running);
    },
  };
}
