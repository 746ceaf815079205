import { randomBytes } from "node:crypto";
import { AetherError, messageOf } from "../lib/errors.ts";
import type { Connection, ReplicaStatus, Session } from "../runtime/runtime.ts";
import { type App, getApp } from "./apps.ts";
import { recordTransition } from "./audit.ts";
import type { Actor, Control } from "./control.ts";
import { assertLive } from "./live-app.ts";

/** What is asked of an app for a person who sits at the other end. */
export interface SessionTarget {
  app: App;
  /** Null for a command that gets an environment of its own. */
  replica: string | null;
}

/** The replica that is named, or one that runs; told before anything is opened. */
export async function findReplica(control: Control, name: string, replica?: string) {
  const app = assertLive(await getApp(control.db, name));
  const replicas = await control.runtime.replicas(app.name);
  return { app, replica: (replica === undefined ? anyOf(app, replicas) : named(app, replicas, replica)).name };
}

/** An app that a command is run of. */
export async function findRunnable(control: Control, name: string): Promise<SessionTarget> {
  return { app: assertLive(await getApp(control.db, name)), replica: null };
}

export type CommandStreams = Omit<Session, "id">;

/** Runs a command to its end. Both are in the audit; of the command its first word only, for the others may be secrets. */
export async function runCommand(
  control: Control,
  { app, replica }: SessionTarget,
  { actor, ...streams }: CommandStreams & { actor: Actor },
): Promise<number> {
  const session = { ...streams, id: sessionId() };
  const what = replica === null ? "run" : "exec";
  const program = (streams.command[0] ?? "").slice(0, 200);
  const about = { session: session.id, ...(replica === null ? {} : { replica }), program };
  await audit(control, { app, actor, after: what, detail: about });
  const ended = (detail: object) =>
    audit(control, { app, actor, after: `${what}_ended`, detail: { ...about, ...detail } }).catch((error: unknown) =>
      control.log.error("the end of a command could not be audited", { app: app.name, ...about, error }),
    );
  try {
    const { runtime } = control;
    const code = await (replica === null ? runtime.run(app.name, session) : runtime.exec(app.name, replica, session));
    await ended({ exit_code: code });
    return code;
  } catch (error) {
    await ended({ failure: session.signal.aborted ? "given up" : messageOf(error) });
    throw error;
  }
}

/** One connection to the app. */
export async function forwardConnection(
  control: Control,
  { app, replica }: SessionTarget & { replica: string },
  { actor, ...connection }: Connection & { actor: Actor },
): Promise<void> {
  const port = connection.port === undefined ? {} : { port: connection.port };
  await audit(control, { app, actor, after: "port_forward", detail: { replica, ...port } });
  await control.runtime.forward(app.name, replica, connection);
}

interface Entry {
  app: App;
  actor: Actor;
  after: string;
  detail: Record<string, unknown>;
}

async function audit({ db, now }: Control, { app, actor, after, detail }: Entry): Promise<void> {
  const transition = {
    subject: "app" as const,
    id: app.id,
    appId: app.id,
    before: "created",
    after,
    at: now(),
    detail,
  };
  await db.transaction((tx) => recordTransition(tx, actor, transition));
}

const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

/** Part of a pod's name. */
const sessionId = (): string => [...randomBytes(8)].map((byte) => alphabet[byte % alphabet.length]).join("");

function anyOf({ name, replicas: wanted }: App, replicas: ReplicaStatus[]): ReplicaStatus {
  const running = replicas.filter(({ state }) => state === "running");
  const chosen = running[Math.floor(Math.random() * running.length)];
  if (chosen) return chosen;
  if (wanted === 0) {
    throw new AetherError("conflict", `${name} is scaled to 0: it has no replica.`, {
      hint: `aether scale ${name} 1 starts one; aether run ${name} -- <command> needs none.`,
    });
  }
  const states = replicas.map((replica) => `${replica.name} is ${replica.state}`).join(", ");
  throw new AetherError("conflict", `No replica of ${name} runs now${states === "" ? "" : `: ${states}`}.`, {
    hint: `aether status ${name} tells why; aether run ${name} -- <command> needs none.`,
  });
}

function named({ name }: App, replicas: ReplicaStatus[], wanted: string): ReplicaStatus {
  const found = replicas.find((replica) => replica.name === wanted);
  if (found) return found;
  const there = replicas.map((replica) => replica.name).join(", ");
  throw new AetherError("not_found", `${name} has no replica "${wanted}".`, {
    hint: there === "" ? "It has none at all now." : `It has ${there}.`,
  });
}
