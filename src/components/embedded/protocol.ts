import type { Stored } from "../../pubsub/admin.ts";
import type { Finding } from "../../pubsub/pubsub.ts";
import type { Order, Start } from "../../pubsub/subscription.ts";
import type { Failure } from "./errors.ts";

/**
 * What the two threads say to each other: the main thread sends one `Request` a cycle, the worker answers with one `Reply`, and there is
 * never a second request before the reply. The worker has no timers and no clock: the request brings the time, and the reply
 * says when the next request must come at the latest. What there are many of travels in columns, bytes as transferred buffers.
 */
export interface Request {
  /** Wall clock, milliseconds since the epoch. */
  readonly now: number;
  /** Monotonic milliseconds. */
  readonly elapsed: number;
  readonly publish: PublishFrame | undefined;
  readonly settlements: readonly SettlementFrame[];
  readonly windows: readonly WindowChange[];
  readonly calls: readonly Call[];
}

export interface PublishFrame {
  readonly topics: readonly string[];
  /** Per message: index in `topics`. */
  readonly topic: readonly number[];
  readonly keys: readonly (string | null)[];
  /** JSON text, or null for none. */
  readonly attributes: readonly (string | null)[];
  readonly expires: readonly (number | null)[];
  readonly notBefore: readonly (number | null)[];
  /** Bytes of data per message, and the data itself, as `pack` lays it out. */
  readonly sizes: readonly number[];
  readonly data: readonly ArrayBuffer[];
  /** Messages that replace another one: index here, reader, position of the one that is acknowledged with it. Flat triples. */
  readonly moves: readonly number[];
}

/** All numbers are positions, unless said otherwise. */
export interface SettlementFrame {
  readonly reader: number;
  readonly acks: number[];
  readonly releases: number[];
  /** Flat triples: position, delay in milliseconds, failures. */
  readonly retries: number[];
  /** Flat pairs: position, failures. */
  readonly keeps: number[];
}

export interface WindowChange {
  readonly reader: number;
  readonly messages: number;
  readonly bytes: number;
}

export interface Reply {
  /** Per message of the request its position, 0 where it has none yet because it is delayed, -1 where it was to replace what the reader has no more; or why none was stored. */
  readonly published: readonly number[] | Failure | undefined;
  readonly lent: readonly LendFrame[];
  /** In the order of the request's calls. */
  readonly results: readonly CallResult[];
  /** Readers that ended because their group was removed. */
  readonly ended: readonly number[];
  /** Why nothing can be stored or lent at the moment. */
  readonly broken: Failure | undefined;
  /** Milliseconds after which a request must come, even an empty one. undefined: none is needed. */
  readonly wakeIn: number | undefined;
}

export interface LendFrame {
  readonly reader: number;
  readonly positions: number[];
  readonly publishedAt: number[];
  readonly failures: number[];
  /** Those that are lent before their time, to keep their place: index here, wall clock in milliseconds. Flat pairs. */
  readonly notBefore: number[];
  readonly keys: (string | null)[];
  readonly attributes: (string | null)[];
  readonly sizes: number[];
  readonly data: readonly ArrayBuffer[];
}

export interface GroupSpec {
  readonly group: string;
  readonly start: Start;
  readonly expiresAfterMs: number | null;
}

/** What is asked for once in a while; by kind, the question and the answer. */
export interface Calls {
  /** Readers are numbered here, not there: a number that a new thread gave again would mean two, to what was on its way when the old one died. */
  subscribe: { ask: { reader: number; topic: string; group: GroupSpec; order: Order }; answer: undefined };
  unsubscribe: { ask: { reader: number }; answer: undefined };
  ensure: { ask: { topic: string; groups: readonly GroupSpec[] }; answer: undefined };
  flush: { ask: object; answer: undefined };
  backlog: { ask: { reader: number }; answer: { messages: number; oldestMs: number | undefined } };
  inspect: { ask: object; answer: readonly Finding[] };
  ping: { ask: object; answer: undefined };
  topics: { ask: { pattern: string }; answer: readonly string[] };
  groups: { ask: { topic: string }; answer: readonly { group: string; consumers: number; pending: number }[] };
  deleteGroup: { ask: { topic: string; group: string }; answer: undefined };
  seek: { ask: { topic: string; group: string; to: Start }; answer: undefined };
  browse: { ask: { topic: string; after: string | undefined; limit: number }; answer: readonly Stored[] };
  remove: { ask: { topic: string; positions: readonly string[] }; answer: undefined };
  close: { ask: object; answer: undefined };
}

export type CallKind = keyof Calls;
export type Call = { [K in CallKind]: { readonly kind: K } & Calls[K]["ask"] }[CallKind];
export type CallResult = { readonly value: Calls[CallKind]["answer"] } | { readonly failure: Failure };

/** What the worker is started with. */
export interface StoreSettings {
  readonly file: string;
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly maxBytes: number | undefined;
}

/** How much of the window a message takes: its data, and its attributes as they are stored. */
export const weight = (data: number, attributes: string | null): number => data + (attributes?.length ?? 0);
