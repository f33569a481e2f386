import { setImmediate as turn } from "node:timers/promises";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import type { Delivery } from "../../pubsub/delivery.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import type { Order, Sink } from "../../pubsub/subscription.ts";
import { rocketmqOptions } from "./config.ts";
import { Reader } from "./consume.ts";
import { PlayedProxy } from "./played-proxy.fixture.ts";

/** Turns of the event loop in which all that needs no waiting comes to its end. */
const TURNS = 5;

/** A reader at a proxy that is played, under a clock that moves when it is told to; and what it told its engine. */
export class PlayedReader implements Sink {
  readonly clock = new SteppedClock();
  readonly proxy: PlayedProxy;
  readonly reader: Reader;
  /** In the order in which they were lent; once more when they were lent once more. */
  readonly lent: Delivery[] = [];
  readonly lostOnes: Delivery[] = [];
  /** The text of the trouble, or none. */
  readonly told: (string | undefined)[] = [];

  constructor(order: Order, options: object = {}, managed = true) {
    this.proxy = new PlayedProxy(options, this.clock);
    const request = { topic: "t", group: "g", order, start: "earliest", options: {} } as const;
    this.reader = new Reader(request, "g", "client", this, {
      proxies: this.proxy,
      options: rocketmqOptions.parse({ endpoints: "proxy:1", ...options }),
      clock: this.clock,
      managed,
      brokers: () => Promise.resolve(this.brokers),
      ensure: () => this.ensure(),
      left: () => undefined,
    });
  }

  /** Those that have the topic's queues. */
  brokers: readonly string[] = ["b"];

  ensure: () => Promise<void> = () => Promise.resolve();

  async open(): Promise<this> {
    await this.reader.open(this.brokers, AbortSignal.timeout(10_000));
    return this;
  }

  /** The positions of what was lent, in that order. */
  get positions(): readonly (string | undefined)[] {
    return this.lent.map(({ position }) => position);
  }

  of(position: string): Delivery {
    const delivery = this.lent.findLast((one) => one.position === position);
    if (!delivery) throw new Error(`${position} was never lent`);
    return delivery;
  }

  /** Time goes by, and what falls due is done. */
  async pass(ms = 0): Promise<void> {
    this.clock.advance(ms);
    for (let one = 0; one < TURNS; one++) await turn();
  }

  deliver(batch: readonly Delivery[]): void {
    this.lent.push(...batch);
  }

  revoking(): Promise<void> {
    return Promise.resolve();
  }

  lost(batch: readonly Delivery[]): void {
    this.lostOnes.push(...batch);
  }

  interrupted(error?: PubSubError): void {
    this.told.push(error?.message);
  }
}
