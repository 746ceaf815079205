/** One replica as the gateway sees it. */
export interface Upstream {
  readonly replica: string;
  readonly host: string;
  readonly port: number;
}

/** A request's hold on a replica: it is not stopped before `release`, or before the grace ends. */
export interface Lease {
  upstream: Upstream;
  release(): void;
}

/** Which replicas serve which application. The driver writes it, the gateway reads it. */
export interface Routes {
  apps(): string[];
  /** The application exists; nothing may serve it yet. */
  declare(app: string): void;
  /** From now on new requests go to `upstreams`, all at once. */
  serve(app: string, upstreams: Upstream[]): void;
  /** Whether an answer may be expected soon, so that waiting for it makes sense. */
  expect(app: string, soon: boolean): void;
  /** Whether it is to have no replica at all: nothing is wrong then, and waiting makes no sense. */
  rest(app: string, resting: boolean): void;
  forget(app: string): void;
  /** The next replica in turn; waits up to `waitMs` while one is expected. */
  pick(app: string, options: { waitMs: number; signal: AbortSignal }): Promise<Lease | "unknown" | "down" | "resting">;
  /** Returns when no request holds `upstream` any more, or after `withinMs`. */
  drained(upstream: Upstream, withinMs: number): Promise<void>;
}

interface Route {
  upstreams: Upstream[];
  next: number;
  soon: boolean;
  resting: boolean;
  /** Called at each change. */
  waiting: Set<() => void>;
}

/** An empty table. */
export function createRoutes(): Routes {
  const routes = new Map<string, Route>();
  const inFlight = new Map<Upstream, number>();
  const drains = new Map<Upstream, Set<() => void>>();

  function routeOf(app: string): Route {
    const route = routes.get(app) ?? { upstreams: [], next: 0, soon: false, resting: false, waiting: new Set() };
    routes.set(app, route);
    return route;
  }

  function change(app: string, apply: (route: Route) => void): void {
    const route = routeOf(app);
    apply(route);
    wake(route);
  }

  function lease(route: Route): Lease | undefined {
    const upstream = route.upstreams[route.next++ % route.upstreams.length];
    if (upstream === undefined) return undefined;
    inFlight.set(upstream, (inFlight.get(upstream) ?? 0) + 1);
    let held = true;
    return {
      upstream,
      release() {
        if (!held) return;
        held = false;
        giveBack(upstream);
      },
    };
  }

  function giveBack(upstream: Upstream): void {
    const left = (inFlight.get(upstream) ?? 1) - 1;
    if (left > 0) return void inFlight.set(upstream, left);
    inFlight.delete(upstream);
    for (const done of drains.get(upstream) ?? []) done();
  }

  return {
    apps: () => [...routes.keys()].sort(),
    declare: (app) => void routeOf(app),
    serve(app, upstreams) {
      change(app, (route) => {
        route.upstreams = upstreams;
      });
    },
    expect(app, soon) {
      change(app, (route) => {
        route.soon = soon;
      });
    },
    rest(app, resting) {
      change(app, (route) => {
        route.resting = resting;
      });
    },
    forget(app) {
      const route = routes.get(app);
      routes.delete(app);
      if (route) wake(route);
    },
    async pick(app, { waitMs, signal }) {
      const deadline = performance.now() + waitMs;
      for (;;) {
        const route = routes.get(app);
        if (route === undefined) return "unknown";
        const found = lease(route);
        if (found) return found;
        if (route.resting) return "resting";
        const leftMs = deadline - performance.now();
        if (!route.soon || leftMs <= 0 || signal.aborted) return "down";
        await changed(route, leftMs, signal);
      }
    },
    drained(upstream, withinMs) {
      if (!inFlight.has(upstream)) return Promise.resolve();
      return new Promise((done) => {
        const waiting = drains.get(upstream) ?? new Set();
        drains.set(upstream, waiting);
        const finish = () => {
          clearTimeout(limit);
          waiting.delete(finish);
          if (waiting.size === 0) drains.delete(upstream);
          done();
        };
        const limit = setTimeout(finish, withinMs);
        waiting.add(finish);
      });
    },
  };
}

function wake(route: Route): void {
  for (const go of [...route.waiting]) go();
}

function changed(route: Route, withinMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const finish = () => {
      clearTimeout(limit);
      route.waiting.delete(finish);
      signal.removeEventListener("abort", finish);
      done();
    };
    const limit = setTimeout(finish, withinMs);
    route.waiting.add(finish);
    signal.addEventListener("abort", finish);
  });
}
