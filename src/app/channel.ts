import type { Event } from "../cloudevents/event.ts";

/** An event on its way to the app. */
export interface AppEvent extends Event {
  readonly topic: string;
  /** The component's name. */
  readonly pubsub: string;
  /** The publisher's metadata (D12). */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What the app wants. */
export interface AppSubscription {
  readonly pubsub: string;
  readonly topic: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * How a call ended.
 * - `success`, `retry`, `drop`: the app said so.
 * - `failed`: the app answered with an error, with something that cannot be read, or not in time: one failure (D3).
 * - `unreachable`: there is no connection, and it was never called: no failure (D4).
 * - `lost`: the connection ended while it had the event: no failure yet, but the event may be why (D4).
 * - `unimplemented`: the app does not take events: no failure, and never an ack (D4).
 */
export type Verdict = "success" | "retry" | "drop" | "failed" | "unreachable" | "lost" | "unimplemented";

/** Gets one verdict a call, once. `reason` says in words why it was neither success, retry nor drop; `code` is the name of gRPC's status code. */
export interface VerdictReceiver {
  verdict(verdict: Verdict, reason?: string, code?: string): void;
}

/** The calls of one app, whatever it speaks. It never tries again: the engine does. */
export interface AppCalls {
  /** Hands over one event; no verdict within `timeoutMs` is a failure (D5). The returned function cancels the call; its receiver is then not called any more. */
  deliver(event: AppEvent, receiver: VerdictReceiver, timeoutMs: number): () => void;
  /** Whether calls go through now, as far as is known. */
  readonly reachable: boolean;
  /** Why they do not. Undefined: they do. */
  readonly awayBecause: string | undefined;
  /** The app is there, and does not want them: what is held for it is for others. */
  readonly unwanted?: boolean;
  /** Calls `fn` whenever `reachable` changes. The returned function ends that. An app that is away is looked for again and again, with backoff. */
  onReachable(fn: (reachable: boolean) => void): () => void;
}

/** The way out to one app. */
export interface AppChannel extends AppCalls {
  /** Asks what the app wants. Undefined: the app does not answer that question (UNIMPLEMENTED). Rejects when it cannot be asked. */
  subscriptions(signal: AbortSignal): Promise<readonly AppSubscription[] | undefined>;
  close(): void;
}
