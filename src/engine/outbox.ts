import type { Clock } from "../pubsub/clock.ts";
import { PubSubError } from "../pubsub/error.ts";
import { FreshMap } from "../pubsub/fresh-map.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import { waitMs } from "../resiliency/backoff.ts";
import type { PublishPolicy } from "../resiliency/policy.ts";
import { PubSubMeasures } from "../telemetry/measures.ts";
import type { Budget } from "./budget.ts";
import { Call } from "./call.ts";
import { type BreakerStatus, Gate } from "./gate.ts";
import { Lane } from "./lane.ts";
import { type BreakerOpen, BufferFull, notInTime } from "./refusals.ts";
import { type Message, type PublishReceiver, Waiting } from "./waiting.ts";

export interface OutboxOptions {
  /** Most messages of one call of the broker, if it takes more. */
  readonly maxBatch?: number;
  /** When what arrives is looked at. Default: in a microtask, so that all that one read of a connection brought goes out together. */
  readonly soon?: (fn: () => void) => void;
}

const SWEEP_MS = 50;
/** A call that takes so long is slow. */
const SLOW_MS = 50;
/** So long before its deadline a caller is answered, or it would give up before it reads why. At most a quarter of its time. */
const BEFORE_DEADLINE_MS = 100;
/** What a rate has kept waiting for long must leave the broker time to answer, or all that is sent would be late. At most a quarter of its time. */
const FOR_THE_BROKER_MS = 250;

/**
 * The publishes of one component, between the API and the broker (D9). What arrives while a call is under way goes out together in the
 * next one: no linger, so an idle system keeps its latency and a busy one its throughput. A failure that may pass is tried again until
 * the publish times out, or as its policy says.
 */
export class Outbox {
  readonly #pubsub: PubSub;
  readonly #budget: Budget;
  readonly #clock: Clock;
  readonly #policy: PublishPolicy;
  readonly #options: OutboxOptions;
  /** Only where the policy has a breaker or a rate. */
  readonly #gate: Gate | undefined;
  readonly #measures: PubSubMeasures;
  readonly #lanes = new Map<string, Lane>();
  readonly #timers = new FreshMap<() => void, true>();
  readonly #onSettled = (waiting: Waiting, error?: PubSubError): void => this.#settled(waiting, error);
  readonly #calls = new Set<Call>();
  #pumping = false;
  #sending = false;
  #sweeping = false;
  #closed = false;

  constructor(
    pubsub: PubSub,
    budget: Budget,
    clock: Clock,
    policy: PublishPolicy,
    options: OutboxOptions = {},
    measures = new PubSubMeasures(),
  ) {
    this.#pubsub = pubsub;
    this.#budget = budget;
    this.#clock = clock;
    this.#policy = policy;
    this.#options = options;
    this.#measures = measures;
    if (policy.breaker || policy.rate !== undefined) {
      const time = { elapsed: () => clock.elapsed(), after: (ms: number, fn: () => void) => this.#after(ms, fn) };
      this.#gate = new Gate(policy, time, () => this.#pump());
    }
  }

  /** Undefined: it has no breaker. */
  get breaker(): BreakerStatus | undefined {
    return this.#gate?.breaker;
  }

  /** `deadline`, the caller's, in milliseconds since the epoch, shortens the wait and never prolongs it. */
  publish(message: Message, receiver: PublishReceiver, deadline?: number): void {
    const left = deadline === undefined ? Number.POSITIVE_INFINITY : deadline - this.#clock.now();
    const patience = Math.min(this.#policy.timeoutMs, Math.max(left - BEFORE_DEADLINE_MS, (left * 3) / 4));
    const until = this.#clock.elapsed() + patience;
    const sendBy = this.#policy.rate === undefined ? until : until - Math.min(FOR_THE_BROKER_MS, patience / 4);
    const waiting = new Waiting(message, until, receiver, this.#onSettled, sendBy);
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
    for (const call of this.#calls) call.controller.abort();
  }

  #refusal(waiting: Waiting): PubSubError | undefined {
    if (this.#closed) return new PubSubError("unavailable", "the sidecar is shutting down");
    if (this.#gate?.refusal) return this.#gate.refusal;
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

  /** A broker that answers at once calls it from within: the one that runs goes on with what that leaves. */
  #pump(): void {
    if (this.#sending) return;
    this.#sending = true;
    try {
      this.#sendAll();
    } finally {
      this.#sending = false;
    }
  }

  #sendAll(): void {
    const { capabilities } = this.#pubsub;
    const { maxBatchBytes, publishPipeline } = capabilities;
    const maxBatch = Math.min(capabilities.maxBatch, this.#options.maxBatch ?? Number.POSITIVE_INFINITY);
    while (this.#calls.size - this.#slow < publishPipeline && !this.#closed) {
      const room = this.#gate ? this.#passing(this.#gate, maxBatch) : maxBatch;
      const batch: Waiting[] = [];
      let bytes = 0;
      for (const lane of this.#lanes.values()) {
        if (batch.length >= room) break;
        const taken = lane.takeable ? lane.take(batch, room, maxBatchBytes - bytes) : 0;
        if (taken === 0) continue;
        bytes += taken;
        // To the end of the row: a busy topic must not keep the others waiting.
        this.#lanes.delete(lane.topic);
        this.#lanes.set(lane.topic, lane);
      }
      if (batch.length < room) this.#gate?.giveBack(room - batch.length);
      if (batch.length === 0) return;
      this.#send(batch);
    }
  }

  /** Calls that no longer keep the next one waiting. */
  get #slow(): number {
    const { slowCalls = 0 } = this.#pubsub.capabilities;
    const since = this.#clock.elapsed() - SLOW_MS;
    let slow = 0;
    if (slowCalls > 0) for (const { startedAt } of this.#calls) if (startedAt <= since) slow += 1;
    return Math.min(slow, slowCalls);
  }

  /** Most messages that may go out in the next call. It is only asked for if there are any: who asks in vain is called later. */
  #passing(gate: Gate, room: number): number {
    for (const lane of this.#lanes.values()) if (lane.takeable) return gate.take(room, this.#calls);
    return 0;
  }

  #send(batch: readonly Waiting[]): void {
    const call = new Call(this.#clock.elapsed(), batch.length);
    this.#measures.batchMessages.observe(batch.length);
    const until = Math.max(...batch.map((waiting) => waiting.deadline)) - call.startedAt;
    call.cancel = this.#after(until, () => call.controller.abort(new DOMException("the broker did not answer in time", "TimeoutError")));
    for (const waiting of batch) waiting.call = call;
    this.#calls.add(call);
    this.#pubsub.publish(batch, call.controller.signal);
  }

  #settled(waiting: Waiting, error: PubSubError | undefined): void {
    const { call } = waiting;
    const lane = this.#lanes.get(waiting.topic);
    if (!call || !lane) return;
    waiting.call = undefined;
    const tryAgain = error !== undefined && this.#failed(call, waiting, error);
    if (!error) {
      lane.failuresInARow = 0;
      call.stored = true;
    }
    if (!tryAgain) {
      this.#budget.giveBack(waiting.size);
      waiting.answer(error && waiting.lastError);
    }
    const batch = lane.settle(waiting, tryAgain);
    if (batch !== "under way") this.#batchEnded(lane, batch === "failed");
    call.left -= 1;
    if (call.left > 0) return;
    const now = this.#clock.elapsed();
    this.#measures.brokerSeconds.observe((now - call.startedAt) / 1_000);
    call.cancel();
    this.#calls.delete(call);
    if (this.#gate && !this.#closed && !call.cutOffSoon(now)) {
      const refusal = this.#gate.ended(call);
      if (refusal) this.#turnAway(refusal);
    }
    this.#pump();
  }

  /** Returns whether it is tried again. */
  #failed(call: Call, waiting: Waiting, error: PubSubError): boolean {
    const before = waiting.lastError;
    // That its time was up says less than what the broker had said before.
    const cutOff = before !== undefined && !error.permanent && call.controller.signal.aborted;
    waiting.lastError = cutOff ? new PubSubError(before.code, before.message, { outcome: error.outcome }) : error;
    waiting.failures += 1;
    if (!error.permanent) call.error = error;
    return this.#mayTryAgain(waiting, error);
  }

  #mayTryAgain(waiting: Waiting, error: PubSubError): boolean {
    const { retry, duplicates } = this.#policy;
    if (this.#closed || this.#gate?.refusal || waiting.answered || waiting.deadline <= this.#clock.elapsed()) return false;
    if (error.permanent || waiting.failures >= retry.maxFailures || retry.permanent.includes(error.code.toUpperCase())) return false;
    if (error.outcome === "rejected") return true;
    if (waiting.dedupId === undefined && duplicates === "refuse") return false;
    this.#measures.possibleDuplicates += 1;
    return true;
  }

  /** All that waits, and is not with the broker, fails. */
  #turnAway(refusal: BreakerOpen): void {
    for (const lane of [...this.#lanes.values()]) {
      lane.expire(Number.POSITIVE_INFINITY, (waiting, underWay) => {
        if (underWay) return;
        this.#budget.giveBack(waiting.size);
        waiting.answer(refusal.after(waiting.lastError?.outcome ?? "rejected"));
      });
      if (lane.empty) this.#lanes.delete(lane.topic);
    }
  }

  #batchEnded(lane: Lane, failed: boolean): void {
    if (lane.empty) {
      this.#lanes.delete(lane.topic);
      return;
    }
    if (!failed) return;
    lane.failuresInARow += 1;
    lane.paused = true;
    this.#after(waitMs(this.#policy.retry, lane.failuresInARow, this.#clock.random()), () => {
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
        if (this.#pubsub.capabilities.spreadsTopics) lane.setAside(now - SLOW_MS);
        if (lane.empty) this.#lanes.delete(lane.topic);
      }
      if (this.#slow > 0) this.#pump();
      this.#sweepLater();
    });
  }

  #expired(waiting: Waiting, underWay: boolean): void {
    if (!underWay) this.#budget.giveBack(waiting.size);
    const late = underWay || waiting.lastError || this.#closed ? undefined : this.#gate?.late;
    waiting.answer(late ?? notInTime(waiting.lastError, underWay));
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
