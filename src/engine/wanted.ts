import { isDeepStrictEqual } from "node:util";
import type { AppChannel, AppSubscription } from "../app/channel.ts";
import type { Clock } from "../pubsub/clock.ts";
import { type Backoff, waitMs } from "../resiliency/backoff.ts";

const ASK: Backoff = { firstMs: 200, mostMs: 5_000 };
/** How long the app must leave a subscription out before it is taken at its word: an app that starts may answer too little. */
const REMOVAL_MS = 30_000;
/** How long the app may take to answer. */
const ANSWER_MS = 5_000;

/** What to do about the app's answer. Called synchronously. */
export interface WantedChanges {
  added(subscription: AppSubscription): void;
  /** The app wants it with other metadata than before. */
  changed(before: AppSubscription, subscription: AppSubscription): void;
  removed(subscription: AppSubscription): void;
  /** Asking failed, or the app does not answer this question at all (undefined: it does). For the log and health. */
  unanswered(reason: string | undefined): void;
}

/**
 * Keeps asking the app what it wants (D10): until it answers, again whenever it comes back, and until a removal is certain. A failed
 * answer changes nothing.
 */
export class Wanted {
  readonly #channel: AppChannel;
  readonly #clock: Clock;
  readonly #changes: WantedChanges;
  readonly #current = new Map<string, AppSubscription>();
  /** Wanted when this app was last asked, before this process: to be taken at its word about them, too. */
  readonly #remembered: Map<string, AppSubscription>;
  readonly #missingSince = new Map<string, number>();
  readonly #closing = new AbortController();
  readonly #unlisten: () => void;
  #cancel: () => void = () => undefined;
  #failures = 0;
  #asking = false;

  constructor(channel: AppChannel, clock: Clock, changes: WantedChanges, remembered: readonly AppSubscription[] = []) {
    this.#channel = channel;
    this.#clock = clock;
    this.#changes = changes;
    this.#remembered = new Map(remembered.map((one) => [keyOf(one), one]));
    this.#unlisten = channel.onReachable((reachable) => {
      if (reachable) this.#ask();
    });
    if (channel.reachable) this.#ask();
  }

  close(): void {
    this.#closing.abort();
    this.#cancel();
    this.#unlisten();
  }

  #ask(): void {
    if (this.#asking || this.#closing.signal.aborted) return;
    this.#asking = true;
    this.#cancel();
    const late = new AbortController();
    const cancelLate = this.#clock.after(ANSWER_MS, () => late.abort());
    const over = () => {
      cancelLate();
      this.#asking = false;
    };
    this.#channel.subscriptions(AbortSignal.any([late.signal, this.#closing.signal])).then(
      (answer) => {
        over();
        this.#answered(answer);
      },
      (error: unknown) => {
        over();
        this.#failed(error instanceof Error ? error.message : String(error));
      },
    );
  }

  #answered(answer: readonly AppSubscription[] | undefined): void {
    if (this.#closing.signal.aborted) return;
    this.#failures = 0;
    this.#changes.unanswered(answer === undefined ? "the app does not implement ListTopicSubscriptions" : undefined);
    // UNIMPLEMENTED means no subscriptions until the app reconnects; what was there before is left out like in any answer.
    const asked = new Map((answer ?? []).map((one) => [keyOf(one), one]));
    for (const [key, subscription] of asked) {
      this.#missingSince.delete(key);
      this.#remembered.delete(key);
      const before = this.#current.get(key);
      if (before && isDeepStrictEqual(before.metadata, subscription.metadata)) continue;
      this.#current.set(key, subscription);
      if (before) this.#changes.changed(before, subscription);
      else this.#changes.added(subscription);
    }
    this.#dropMissing(asked);
    if (this.#missingSince.size > 0) this.#later(REMOVAL_MS / 3);
  }

  #dropMissing(asked: ReadonlyMap<string, AppSubscription>): void {
    const now = this.#clock.elapsed();
    for (const [key, subscription] of [...this.#current, ...this.#remembered]) {
      if (asked.has(key)) continue;
      const since = this.#missingSince.get(key) ?? now;
      this.#missingSince.set(key, since);
      if (now - since < REMOVAL_MS) continue;
      this.#current.delete(key);
      this.#remembered.delete(key);
      this.#missingSince.delete(key);
      this.#changes.removed(subscription);
    }
  }

  #failed(reason: string): void {
    if (this.#closing.signal.aborted) return;
    this.#failures += 1;
    this.#changes.unanswered(reason);
    this.#later(waitMs(ASK, this.#failures, this.#clock.random()));
  }

  #later(ms: number): void {
    this.#cancel = this.#clock.after(ms, () => this.#ask());
  }
}

function keyOf(subscription: AppSubscription): string {
  return JSON.stringify([subscription.pubsub, subscription.topic]);
}
