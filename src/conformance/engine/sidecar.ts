import { Engine, type EngineEvents, type EngineOptions } from "../../engine/engine.ts";
import type { NamedStatus } from "../../engine/subscriptions.ts";
import type { Bench } from "../bench.ts";
import { SteppedClock } from "../stepped-clock.ts";
import { PlayedApp } from "./played-app.ts";
import { POLICY, PUBLISHING } from "./policy.ts";

const PUBSUB = "under-test";

const OPTIONS: EngineOptions = {
  publish: PUBLISHING,
  publishBuffer: 64 * 2 ** 20,
  maxMessageBytes: 4 * 2 ** 20,
  deliveryBuffer: 64 * 2 ** 20,
  delivery: POLICY,
};

/** Nobody writes down what happens. */
export const UNHEARD: EngineEvents = {
  subscribed: () => undefined,
  unsubscribed: () => undefined,
  broker: () => undefined,
  unknownPubSub: () => undefined,
  appUnanswered: () => undefined,
  lost: () => undefined,
  failed: () => undefined,
  deadLettered: () => undefined,
  trouble: () => undefined,
};

/** The engine between the component under test and an app that the behaviour plays. Its time moves when it is told to; the broker's own is real. */
export class Sidecar {
  readonly app: PlayedApp;
  readonly clock: SteppedClock;
  readonly #engine: Engine;
  readonly #bench: Bench;
  #stopping: Promise<void> | undefined;

  private constructor(app: PlayedApp, clock: SteppedClock, engine: Engine, bench: Bench) {
    this.app = app;
    this.clock = clock;
    this.#engine = engine;
    this.#bench = bench;
  }

  /** Started, and subscribed to the bench's topic in its group, with this metadata. */
  static async start(bench: Bench, change: Partial<EngineOptions> = {}, metadata: Readonly<Record<string, string>> = {}): Promise<Sidecar> {
    const pubsub = await bench.open();
    const request = bench.request({ order: metadata.order === "key" ? "key" : "none" });
    await pubsub.ensure(bench.topic, [request], bench.patience);
    const app = new PlayedApp([{ pubsub: PUBSUB, topic: bench.topic, metadata }], bench.patienceMs);
    const clock = new SteppedClock();
    const engine = new Engine(new Map([[PUBSUB, { pubsub, group: request.group }]]), app, clock, { ...OPTIONS, ...change }, UNHEARD);
    const sidecar = new Sidecar(app, clock, engine, bench);
    bench.onEnd(() => sidecar.#end());
    await engine.look();
    engine.start([], []);
    return sidecar;
  }

  get subscriptions(): readonly NamedStatus[] {
    return this.#engine.subscriptions;
  }

  /** The topics whose groups the app no longer reads. */
  get orphans(): readonly string[] {
    return this.#engine.orphans.map(({ topic }) => topic);
  }

  get status(): NamedStatus {
    const [status] = this.subscriptions;
    if (!status) throw new Error("the engine has not subscribed");
    return status;
  }

  /** As an app publishes: with an envelope around it. */
  publish(text: string, metadata: Readonly<Record<string, string>> = {}): Promise<void> {
    const request = { pubsub: PUBSUB, topic: this.#bench.topic, data: Buffer.from(text), contentType: "text/plain", metadata };
    return new Promise((resolve, reject) => {
      this.#engine.publish(request, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Stops reading and lets the calls end; the component stays open. */
  stop(): Promise<void> {
    this.#stopping ??= this.#engine.drain(this.#bench.patience);
    return this.#stopping;
  }

  /** Nobody answers any more: the calls that a failed behaviour left open must not be waited for. */
  async #end(): Promise<void> {
    const stopped = this.stop();
    for (const call of this.app.calls) call.answer("unreachable");
    await stopped;
  }
}
