import { PGlite } from "@electric-sql/pglite";
// Relative paths, because only those are carried inside a compiled binary.
import snapshot from "../../dist/embedded/pglite.tar.gz" with { type: "file" };
import initdbWasm from "../../node_modules/@electric-sql/pglite/dist/initdb.wasm" with { type: "file" };
import pgliteData from "../../node_modules/@electric-sql/pglite/dist/pglite.data" with { type: "file" };
import pgliteWasm from "../../node_modules/@electric-sql/pglite/dist/pglite.wasm" with { type: "file" };

/** The Postgres inside this build's PGlite: it opens folders of this major version only. */
export const embeddedPostgresMajor = "18";

/** The data folder that `initdb` would make, packed. */
export const emptyDatabase = (): Blob => Bun.file(snapshot);

/** PGlite from the files that this build carries: on a folder that holds a database, or in memory. */
export async function createPGlite(source: { dataDir: string } | { loadDataDir?: Blob }): Promise<PGlite> {
  const [pgliteWasmModule, initdbWasmModule] = await Promise.all([compile(pgliteWasm), compile(initdbWasm)]);
  const client = await PGlite.create({
    ...("dataDir" in source ? source : { loadDataDir: source.loadDataDir ?? emptyDatabase() }),
    fsBundle: Bun.file(pgliteData),
    pgliteWasmModule,
    initdbWasmModule,
    // What is kept of the log for reuse: the defaults, up to 1 GB, are much for a laptop.
    startParams: [...PGlite.defaultStartParams, "-c", "min_wal_size=32MB", "-c", "max_wal_size=64MB"],
  });
  stopAtFirstCrash(client);
  return client;
}

const compile = async (path: string): Promise<WebAssembly.Module> =>
  WebAssembly.compile(await Bun.file(path).arrayBuffer());

/**
 * A Postgres that aborted (PANIC: no space for its log) makes PGlite 0.5.16 loop for ever in its next query, with the
 * whole process: it catches the abort, sees unread input and calls again. So the first abort is remembered, leaves that
 * loop through `stackRestore`, which the catch calls first, and meets every later query.
 */
function stopAtFirstCrash(client: PGlite): void {
  const longjmp = 100; // how Postgres reports an ordinary SQL error
  const engine = client.Module as unknown as { _PostgresMainLoopOnce(): void; stackRestore(pointer: number): void };
  const { _PostgresMainLoopOnce: runOnce, stackRestore } = engine;
  const exec = client.execProtocolRawSync.bind(client);
  let crash: DatabaseCrash | undefined;

  engine._PostgresMainLoopOnce = () => {
    try {
      runOnce();
    } catch (error) {
      if ((error as { status?: unknown }).status !== longjmp) crash ??= new DatabaseCrash(error);
      throw error;
    }
  };
  engine.stackRestore = (pointer) => {
    if (crash) throw crash;
    stackRestore(pointer);
  };
  client.execProtocolRawSync = (message) => {
    if (crash) throw crash;
    return exec(message);
  };
}

/** The embedded Postgres stopped in the middle; only opening its folder again brings it back. */
export class DatabaseCrash extends Error {
  override readonly name = "DatabaseCrash";

  constructor(cause: unknown) {
    super("The embedded database stopped.", { cause });
  }
}
