import type { Admin } from "../pubsub/admin.ts";
import type { Capabilities } from "../pubsub/capabilities.ts";
import type { Clock } from "../pubsub/clock.ts";
import { PubSubError } from "../pubsub/error.ts";
import type { Outgoing } from "../pubsub/outgoing.ts";
import type { Finding, PubSub } from "../pubsub/pubsub.ts";
import type { Sink, SubscribeRequest, Subscription } from "../pubsub/subscription.ts";

/** How a broker stands, in the words that health shows. */
export interface BrokerStatus {
  readonly state: "starting" | "up" | "unreachable" | "refused";
  /** Why it is not up. Empty when it is. */
  readonly reason: string;
  readonly findings: readonly Finding[];
}

const LOOK_EVERY_MS = 5_000;
const LOOK_AT_MOST_MS = 3_000;
const NO_ANSWER = `the broker does not answer within ${LOOK_AT_MOST_MS / 1_000} s`;
/** Settings are changed while a broker is up, too. */
const INSPECT_EVERY_MS = 60_000;

/**
 * A component behind its own inspection: while the broker's settings would lose messages, or it refuses us for good, nothing is published
 * and nothing read (D1, D2). An absent broker is looked for again and again, and inspected anew when it returns: another one may stand there.
 * One that is up is inspected once a minute, and soon after a subscription or a group was made: what it means for them is known only then.
 */
export class Guarded implements PubSub {
  readonly #pubsub: PubSub;
  readonly #clock: Clock;
  readonly #changed: (status: BrokerStatus, before: BrokerStatus) => void;
  readonly #closing = new AbortController();
  #status: BrokerStatus = { state: "starting", reason: "not yet asked", findings: [] };
  #refusal: PubSubError | undefined;
  #looking: Promise<void> | undefined;
  #cancel: () => void = () => undefined;

  /** When the next inspection is due, by the monotonic clock. */
  #inspectAt = 0;

  /** `changed` is called whenever the state, its reason or what was found changes; it must not throw. */
  constructor(pubsub: PubSub, clock: Clock, changed: (status: BrokerStatus, before: BrokerStatus) => void) {
    this.#pubsub = pubsub;
    this.#clock = clock;
    this.#changed = changed;
  }

  get status(): BrokerStatus {
    return this.#status;
  }

  get capabilities(): Capabilities {
    return this.#pubsub.capabilities;
  }

  get admin(): Admin | undefined {
    return this.#pubsub.admin;
  }

  /** Starts to watch the broker. Resolves after the first look, whatever it saw; rejects when the broker refuses us for good. */
  async start(): Promise<void> {
    await this.#look();
    if (this.#refusal) throw this.#refusal;
  }

  publish(batch: readonly Outgoing[], signal: AbortSignal): void {
    if (this.#status.state !== "refused") this.#pubsub.publish(batch, signal);
    else for (const message of batch) message.done(this.#refused());
  }

  async subscribe(request: SubscribeRequest, sink: Sink): Promise<Subscription> {
    await this.#usable();
    const subscription = await this.#pubsub.subscribe(request, sink);
    this.#inspectAt = 0;
    return subscription;
  }

  async ensure(topic: string, groups: readonly SubscribeRequest[], signal: AbortSignal): Promise<void> {
    await this.#usable();
    await this.#pubsub.ensure(topic, groups, signal);
    this.#inspectAt = 0;
  }

  inspect(signal: AbortSignal): Promise<readonly Finding[]> {
    return this.#pubsub.inspect(signal);
  }

  ping(signal: AbortSignal): Promise<void> {
    return this.#pubsub.ping(signal);
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#closing.abort();
    this.#cancel();
    await this.#pubsub.close(signal);
  }

  async #usable(): Promise<void> {
    if (this.#status.state !== "up") await this.#look();
    if (this.#status.state === "refused") throw this.#refused();
    if (this.#status.state !== "up") throw new PubSubError("unavailable", this.#status.reason);
  }

  #refused(): PubSubError {
    return new PubSubError("failed_precondition", this.#status.reason, { permanent: true });
  }

  #look(): Promise<void> {
    this.#looking ??= this.#lookNow().finally(() => {
      this.#looking = undefined;
      if (!this.#closing.signal.aborted) this.#cancel = this.#clock.after(LOOK_EVERY_MS, () => void this.#look());
    });
    return this.#looking;
  }

  async #lookNow(): Promise<void> {
    this.#cancel();
    const late = new AbortController();
    const cancelLate = this.#clock.after(LOOK_AT_MOST_MS, () => late.abort());
    const signal = AbortSignal.any([late.signal, this.#closing.signal]);
    try {
      if (this.#status.state !== "up") await this.#inspectNow(signal);
      else {
        await this.#pubsub.ping(signal);
        if (this.#clock.elapsed() >= this.#inspectAt) await this.#inspectNow(signal).catch(unlessPermanent);
      }
    } catch (error) {
      if (!(error instanceof PubSubError)) throw error;
      this.#refusal = error.permanent ? error : undefined;
      const reason = late.signal.aborted && error.code === "cancelled" ? NO_ANSWER : error.message;
      this.#become({ state: error.permanent ? "refused" : "unreachable", reason, findings: [] });
    } finally {
      cancelLate();
    }
  }

  async #inspectNow(signal: AbortSignal): Promise<void> {
    // Before it is asked: what is subscribed to meanwhile may not be in the answer.
    this.#inspectAt = this.#clock.elapsed() + INSPECT_EVERY_MS;
    this.#inspected(await this.#pubsub.inspect(signal));
  }

  #inspected(findings: readonly Finding[]): void {
    this.#refusal = undefined;
    const refusals = findings.filter((one) => one.level === "refuse");
    const reason = refusals.map((one) => `${one.found} ${one.remedy}`).join(" ");
    this.#become({ state: refusals.length > 0 ? "refused" : "up", reason, findings });
  }

  #become(status: BrokerStatus): void {
    if (this.#closing.signal.aborted) return;
    const before = this.#status;
    this.#status = status;
    const same = before.state === status.state && before.reason === status.reason && textOf(before) === textOf(status);
    if (!same) this.#changed(status, before);
  }
}

/** A broker that answers is up, though it did not tell its settings this time. */
function unlessPermanent(error: unknown): void {
  if (!(error instanceof PubSubError) || error.permanent) throw error;
}

function textOf({ findings }: BrokerStatus): string {
  return findings.map(({ found }) => found).join("\n");
}
