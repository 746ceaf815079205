import type { Readable, Writable } from "node:stream";
import type { KubernetesObject, V1ObjectMeta } from "@kubernetes/client-node";
import type { Terminal } from "../core/terminal.ts";
import type { AsJson, KindName, ObjectOf } from "./kinds.ts";

/** One object. `namespace` is left out for kinds that have none. */
export interface ObjectRef<K extends KindName = KindName> {
  kind: K;
  namespace?: string;
  name: string;
}

/** Which objects of a kind. Without `namespace`: those of all namespaces. */
export interface ObjectQuery<K extends KindName = KindName> {
  kind: K;
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

/** What was sent, as the API server answers it. */
export type Stored<T> = AsJson<T> & { metadata: AsJson<V1ObjectMeta> };

export interface WriteOptions {
  /** The API server checks everything, admission included, and keeps nothing. */
  dryRun?: boolean;
  signal?: AbortSignal;
}

export interface ApplyOptions extends WriteOptions {
  /** Who owns what is applied; `fieldManager` when left out. */
  manager?: string;
  /** False: what another manager has set to another value is left, and the call fails as `conflict`. */
  force?: boolean;
}

export interface RemoveOptions extends WriteOptions {
  propagation?: "Background" | "Foreground" | "Orphan";
  /** Only the very object that was seen: another one of its name is left alone, and the call fails as `conflict`. */
  uid?: string;
  resourceVersion?: string;
}

export interface PatchOptions extends WriteOptions {
  /** `merge` when left out. */
  type?: "merge" | "json" | "strategic";
  subresource?: "status" | "scale";
}

/** What happened to an object. `previous` is what the store held. */
export type Change<T> =
  | { type: "added"; object: T; previous?: undefined }
  | { type: "changed"; object: T; previous: T }
  | { type: "deleted"; object: T; previous?: undefined };

export interface ReflectOptions<T, Item = T> {
  /** Ends it, like `stop`. */
  signal?: AbortSignal;
  /** Keeps only what is needed of each object: thousands of pods are held. */
  project?: (object: T) => Item;
  /** Told of each change in order, after the store has it. It must not throw; a promise is not awaited. */
  onChange?: (change: Change<Item>) => void;
  /** Told of each failed list and broken watch. The reflector goes on by itself. */
  onTrouble?: (error: unknown) => void;
  /** A watch is asked for again when nothing, not even a bookmark, has come for so long. */
  silenceMs?: number;
}

/** A copy of what the cluster holds, kept by list and watch, whatever happens to either. */
export interface Reflector<Item> extends AsyncDisposable {
  /** Settles when the first list is in the store; rejects only when the reflector is ended before. */
  readonly ready: Promise<void>;
  items(): Item[];
  get(name: string, namespace?: string): Item | undefined;
  /** When the API server was last heard, by the clock of `Date.now`; 0 before. */
  readonly heardAt: number;
  stop(): Promise<void>;
}

export interface PodLogOptions {
  container?: string;
  follow?: boolean;
  /** RFC 3339. */
  sinceTime?: string;
  tailLines?: number;
  /** Of the container's run before this one. */
  previous?: boolean;
  /** Each line begins with its time, RFC 3339 with nanoseconds, and a blank. */
  timestamps?: boolean;
  /** Lines keep their end: what has none is a piece of a very long line, or the last of what there is. */
  keepEnds?: boolean;
}

/** A pod's place; kinds are understood. */
export interface PodRef {
  namespace: string;
  name: string;
}

export interface ExecOptions {
  container: string;
  command: string[];
  stdin?: Readable;
  /** Both are ended when the command has. */
  stdout?: Writable;
  stderr?: Writable;
  /** It runs in a terminal; whatever it writes comes as `stdout`. */
  terminal?: Terminal;
  signal?: AbortSignal;
}

/**
 * A Kubernetes API server, as we speak to it. Failures are a `ClusterError`; its `problem` says which. Unary calls end
 * in 15 s, and those that may be repeated are, a few times.
 */
export interface Cluster {
  /** Its address, for messages; never credentials. */
  readonly server: string;
  /** The namespace of the kubeconfig's context or of our own pod; `default` when it names none. */
  readonly namespace: string;
  version(): Promise<{ major: number; minor: number; text: string }>;
  /** Server-side apply as field manager `aether`, by force; a field that does not exist is refused. */
  apply<T extends KubernetesObject>(object: T, options?: ApplyOptions): Promise<Stored<T>>;
  /** POST, sent again only when it was turned away unread: for reviews, and for what must not exist yet. */
  create<T extends KubernetesObject>(object: T, options?: WriteOptions): Promise<Stored<T>>;
  /** Undefined when there is none. */
  get<K extends KindName>(ref: ObjectRef<K>, signal?: AbortSignal): Promise<ObjectOf<K> | undefined>;
  /** All of them, a page at a time. */
  list<K extends KindName>(
    query: ObjectQuery<K>,
    signal?: AbortSignal,
  ): Promise<{ items: ObjectOf<K>[]; resourceVersion: string }>;
  patch<K extends KindName>(ref: ObjectRef<K>, body: object, options?: PatchOptions): Promise<ObjectOf<K>>;
  /** False when there was none. */
  remove(ref: ObjectRef, options?: RemoveOptions): Promise<boolean>;
  reflect<K extends KindName, Item = ObjectOf<K>>(
    query: ObjectQuery<K>,
    options?: ReflectOptions<ObjectOf<K>, Item>,
  ): Reflector<Item>;
  /** The lines of a container, as they come with `follow`; ended by `signal`. */
  logs(pod: PodRef, options: PodLogOptions, signal: AbortSignal): Promise<AsyncIterable<string>>;
  /** Runs a command in a container; answers its exit code. */
  exec(pod: PodRef, options: ExecOptions): Promise<number>;
  /**
   * One connection to a port of a pod; settles when it is open, and the output ends with it. That the input has ended cannot
   * be told: Kubernetes knows no half-closed connections here.
   */
  portForward(pod: PodRef, port: number, streams: { input: Readable; output: Writable }): Promise<AsyncDisposable>;
}
