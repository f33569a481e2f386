import { isDeepStrictEqual } from "node:util";
import type { AppCalls, AppChannel, AppSubscription } from "../app/channel.ts";
import type { Clock } from "../pubsub/clock.ts";
import { type Backoff, waitMs } from "../resiliency/backoff.ts";
import { ListedChannel, type Listing } from "./listed-channel.ts";

const ASK: Backoff = { firstMs: 200, mostMs: 5_000 };
/** How long the app must leave a subscription out before it is taken at its word: an app that starts may answer too little. */
const REMOVAL_MS = 30_000;
/** How soon it is asked again about what it left out: until then it does not get it. */
const AGAIN_MS = 1_000;
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
 * Keeps asking the app what it wants (D10): until it answers, again whenever it comes back, and until a removal is certain. Until it has
 * answered, and of what it leaves out, nothing is handed to it; a failed answer changes nothing.
 */
export class Wanted {
  readonly #channel: AppChannel;
  readonly #clock: Clock;
  readonly #changes: WantedChanges;
  readonly #current = new Map<string, AppSubscription>();
  /** Wanted when this app was last asked, before this process: to be taken at its word about them, too. */
  readonly #remembered: Map<string, AppSubscription>;
  readonly #missingSince = new Map<string, number>();
  readonly #channels = new Map<string, ListedChannel>();
  /** What the last answer lists. */
  #listed: ReadonlySet<string> = new Set();
  /** How often it came or went. What was asked before says nothing of who is there now. */
  #turns = 0;
  /** It has been asked since it came. */
  #said = false;
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
      this.#turns += 1;
      this.#said = false;
      this.#missingSince.clear();
      this.#turn();
      if (reachable) this.#ask();
    });
    if (channel.reachable) this.#ask();
  }

  /** The app as this subscription may call it. */
  channelOf(subscription: AppSubscription): AppCalls {
    const key = keyOf(subscription);
    const channel = this.#channels.get(key) ?? new ListedChannel(this.#channel, this.#listingOf(key));
    this.#channels.set(key, channel);
    return channel;
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
    const turn = this.#turns;
    /** Whether it says something of the app that is there now. */
    const over = (): boolean => {
      cancelLate();
      this.#asking = false;
      if (turn === this.#turns || !this.#channel.reachable) return !this.#closing.signal.aborted;
      this.#ask();
      return false;
    };
    this.#channel.subscriptions(AbortSignal.any([late.signal, this.#closing.signal])).then(
      (answer) => {
        if (over()) this.#answered(answer);
      },
      (error: unknown) => {
        if (over()) this.#failed(error instanceof Error ? error.message : String(error));
      },
    );
  }

  #answered(answer: readonly AppSubscription[] | undefined): void {
    this.#failures = 0;
    this.#changes.unanswered(answer === undefined ? "the app does not implement ListTopicSubscriptions" : undefined);
    // UNIMPLEMENTED means no subscriptions until the app reconnects; what was there before is left out like in any answer.
    const asked = new Map((answer ?? []).map((one) => [keyOf(one), one]));
    this.#said = true;
    this.#listed = new Set(asked.keys());
    this.#turn();
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
    if (this.#missingSince.size > 0) this.#later(AGAIN_MS);
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
      this.#channels.delete(key);
      this.#changes.removed(subscription);
    }
  }

  #failed(reason: string): void {
    this.#said = true;
    this.#turn();
    this.#failures += 1;
    this.#changes.unanswered(reason);
    this.#later(waitMs(ASK, this.#failures, this.#clock.random()));
  }

  #turn(): void {
    for (const [key, channel] of this.#channels) channel.turn(this.#listingOf(key));
  }

  #listingOf(key: string): Listing {
    if (!this.#said) return "unsaid";
    return this.#listed.has(key) ? "listed" : "unlisted";
  }

  #later(ms: number): void {
    this.#cancel = this.#clock.after(ms, () => this.#ask());
  }
}

function keyOf(subscription: AppSubscription): string {
  return JSON.stringify([subscription.pubsub, subscription.topic]);
}
