import type { Clock } from "../pubsub/clock.ts";
import { PubSubError } from "../pubsub/error.ts";
import { FreshMap } from "../pubsub/fresh-map.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import { type Backoff, waitMs } from "../resiliency/backoff.ts";
import { PubSubMeasures } from "../telemetry/measures.ts";
import type { Budget } from "./budget.ts";
import { Lane } from "./lane.ts";
import { type Message, type PublishReceiver, Waiting } from "./waiting.ts";

export interface OutboxOptions {
  /** How long a publish waits for the broker, in milliseconds. */
  readonly publishTimeoutMs: number;
  /** Whether a publish whose outcome is unknown is tried again without a `dedupId`. */
  readonly duplicates: "allow" | "refuse";
  /** Most messages of one call of the broker, if it takes more. */
  readonly maxBatch?: number;
  /** When what arrives is looked at. Default: in a microtask, so that all that one read of a connection brought goes out together. */
  readonly soon?: (fn: () => void) => void;
}

const RETRY: Backoff = { firstMs: 50, mostMs: 1_000, jitter: 0.2 };
const SWEEP_MS = 50;
/** So long before its deadline a caller is answered, or it would give up before it reads why. At most a quarter of its time. */
const BEFORE_DEADLINE_MS = 100;

/**
 * The publishes of one component, between the API and the broker (D9). What arrives while a call is under way goes out together in the
 * next one: no linger, so an idle system keeps its latency and a busy one its throughput. A failure that may pass is tried again until
 * the publish times out.
 */
export class Outbox {
  readonly #pubsub: PubSub;
  readonly #budget: Budget;
  readonly #clock: Clock;
  readonly #options: OutboxOptions;
  readonly #measures: PubSubMeasures;
  readonly #lanes = new Map<string, Lane>();
  readonly #timers = new FreshMap<() => void, true>();
  readonly #onSettled = (waiting: Waiting, error?: PubSubError): void => this.#settled(waiting, error);
  readonly #calls = new FreshMap<Waiting, Call>();
  #callsUnderWay = 0;
  #pumping = false;
  #sweeping = false;
  #closed = false;

  constructor(pubsub: PubSub, budget: Budget, clock: Clock, options: OutboxOptions, measures = new PubSubMeasures()) {
    this.#pubsub = pubsub;
    this.#budget = budget;
    this.#clock = clock;
    this.#options = options;
    this.#measures = measures;
  }

  /** `deadline`, the caller's, in milliseconds since the epoch, shortens the wait and never prolongs it. */
  publish(message: Message, receiver: PublishReceiver, deadline?: number): void {
    const left = deadline === undefined ? Number.POSITIVE_INFINITY : deadline - this.#clock.now();
    const patience = Math.min(this.#options.publishTimeoutMs, Math.max(left - BEFORE_DEADLINE_MS, (left * 3) / 4));
    const waiting = new Waiting(message, this.#clock.elapsed() + patience, receiver, this.#onSettled);
    const refused = this.#refusal(waiting);
    if (refused) {
      waiting.answer(refused);
      return;
    }
    this.#lane(message.topic).add(waiting);
    this.#pumpSoon();
    this.#sweepLater();
  }

  /** Ends every wait: what has not been answered fails as unavailable. */
  close(): void {
    this.#closed = true;
    for (const cancel of [...this.#timers.keys()]) {
      this.#timers.delete(cancel);
      cancel();
    }
    for (const lane of this.#lanes.values()) lane.expire(Number.POSITIVE_INFINITY, (waiting, underWay) => this.#expired(waiting, underWay));
    for (const call of new Set(this.#calls.values())) call.controller.abort();
  }

  #refusal(waiting: Waiting): PubSubError | undefined {
    if (this.#closed) return new PubSubError("unavailable", "the sidecar is shutting down");
    if (this.#budget.take(waiting.size)) return undefined;
    return new BufferFull(this.#budget.limit);
  }

  #lane(topic: string): Lane {
    let lane = this.#lanes.get(topic);
    if (!lane) {
      lane = new Lane(topic);
      this.#lanes.set(topic, lane);
    }
    return lane;
  }

  #pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    (this.#options.soon ?? queueMicrotask)(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    const { capabilities } = this.#pubsub;
    const { maxBatchBytes, publishPipeline } = capabilities;
    const maxBatch = Math.min(capabilities.maxBatch, this.#options.maxBatch ?? Number.POSITIVE_INFINITY);
    while (this.#callsUnderWay < publishPipeline && !this.#closed) {
      const batch: Waiting[] = [];
      let bytes = 0;
      for (const lane of this.#lanes.values()) {
        if (batch.length >= maxBatch) break;
        const taken = lane.takeable ? lane.take(batch, maxBatch, maxBatchBytes - bytes) : 0;
        if (taken === 0) continue;
        bytes += taken;
        // To the end of the row: a busy topic must not keep the others waiting.
        this.#lanes.delete(lane.topic);
        this.#lanes.set(lane.topic, lane);
      }
      if (batch.length === 0) return;
      this.#send(batch);
    }
  }

  #send(batch: readonly Waiting[]): void {
    const call: Call = { controller: new AbortController(), startedAt: this.#clock.elapsed(), left: batch.length, cancel: () => undefined };
    this.#measures.batchMessages.observe(batch.length);
    const until = Math.max(...batch.map((waiting) => waiting.deadline)) - call.startedAt;
    call.cancel = this.#after(until, () => call.controller.abort(new DOMException("the broker did not answer in time", "TimeoutError")));
    for (const waiting of batch) this.#calls.set(waiting, call);
    this.#callsUnderWay += 1;
    this.#pubsub.publish(batch, call.controller.signal);
  }

  #settled(waiting: Waiting, error: PubSubError | undefined): void {
    const call = this.#calls.get(waiting);
    const lane = this.#lanes.get(waiting.topic);
    if (!call || !lane) return;
    this.#calls.delete(waiting);
    const tryAgain = error !== undefined && this.#mayTryAgain(waiting, error);
    if (error) waiting.lastError = error;
    else lane.failuresInARow = 0;
    if (!tryAgain) {
      this.#budget.giveBack(waiting.size);
      waiting.answer(error);
    }
    const batch = lane.settle(waiting, tryAgain);
    if (batch !== "under way") this.#batchEnded(lane, batch === "failed");
    call.left -= 1;
    if (call.left > 0) return;
    this.#measures.brokerSeconds.observe((this.#clock.elapsed() - call.startedAt) / 1_000);
    call.cancel();
    this.#callsUnderWay -= 1;
    this.#pump();
  }

  #mayTryAgain(waiting: Waiting, error: PubSubError): boolean {
    if (this.#closed || waiting.answered || error.permanent || waiting.deadline <= this.#clock.elapsed()) return false;
    if (error.outcome === "rejected") return true;
    if (waiting.dedupId === undefined && this.#options.duplicates === "refuse") return false;
    this.#measures.possibleDuplicates += 1;
    return true;
  }

  #batchEnded(lane: Lane, failed: boolean): void {
    if (lane.empty) {
      this.#lanes.delete(lane.topic);
      return;
    }
    if (!failed) return;
    lane.failuresInARow += 1;
    lane.paused = true;
    this.#after(waitMs(RETRY, lane.failuresInARow, this.#clock.random()), () => {
      lane.paused = false;
      if (lane.empty) this.#lanes.delete(lane.topic);
      else this.#pump();
    });
  }

  #sweepLater(): void {
    if (this.#sweeping || this.#closed || this.#lanes.size === 0) return;
    this.#sweeping = true;
    this.#after(SWEEP_MS, () => {
      this.#sweeping = false;
      const now = this.#clock.elapsed();
      for (const lane of [...this.#lanes.values()]) {
        lane.expire(now, (waiting, underWay) => this.#expired(waiting, underWay));
        if (lane.empty) this.#lanes.delete(lane.topic);
      }
      this.#sweepLater();
    });
  }

  #expired(waiting: Waiting, underWay: boolean): void {
    if (!underWay) this.#budget.giveBack(waiting.size);
    const why = waiting.lastError?.message ?? "the broker did not answer in time";
    // A broker that is full says something else than one that is away.
    const code = waiting.lastError?.code === "resource_exhausted" ? "resource_exhausted" : "unavailable";
    waiting.answer(new PubSubError(code, why, { outcome: underWay ? "unknown" : (waiting.lastError?.outcome ?? "rejected") }));
  }

  #after(ms: number, fn: () => void): () => void {
    const cancel = this.#clock.after(Math.max(0, ms), () => {
      this.#timers.delete(cancel);
      fn();
    });
    this.#timers.set(cancel, true);
    return () => {
      this.#timers.delete(cancel);
      cancel();
    };
  }
}

/** It does not fit beside what waits already. `limit` is in bytes. */
export class BufferFull extends PubSubError {
  readonly limit: number;

  constructor(limit: number) {
    super("resource_exhausted", `${limit} bytes of publishes are waiting already`);
    this.limit = limit;
  }
}

interface Call {
  readonly controller: AbortController;
  readonly startedAt: number;
  left: number;
  cancel: () => void;
}
