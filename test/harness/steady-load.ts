/** Asks `url` so many times a second, each time by a connection of its own, until it is stopped. */
export function steadyLoad(url: string, { perSecond = 100 } = {}) {
  const answers = new Map<string, number>();
  const failures: string[] = [];
  const pending = new Set<Promise<void>>();

  async function ask(): Promise<void> {
    try {
      const response = await fetch(url, { keepalive: false, signal: AbortSignal.timeout(10_000) });
      const text = await response.text();
      if (!response.ok) failures.push(`${response.status} ${text}`);
      answers.set(text, (answers.get(text) ?? 0) + 1);
    } catch (error) {
      failures.push(String(error));
    }
  }

  const timer = setInterval(() => {
    const asked = ask().finally(() => pending.delete(asked));
    pending.add(asked);
  }, 1_000 / perSecond);

  return {
    /** How often each text was answered so far. */
    answers,
    failures,
    async stop(): Promise<void> {
      clearInterval(timer);
      await Promise.all(pending);
    },
  };
}
