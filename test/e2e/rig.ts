import { createSubscriber, type HandlerResult, type Publisher, type ReceivedEvent, type Subscriber } from "layotto-sdk";
import { expect } from "vitest";
import { freePort } from "../brokers/server.ts";
import { type Component, type Shown, Sidecar } from "./sidecar.ts";

export const PUBSUB = "broker";
export const TOPIC = "topic1";
/** Publishes under way at once. */
const AT_ONCE = 16;

/** How many messages the broker has that are not settled, and whether it can be asked while the sidecar runs. */
export interface PendingAtBroker {
  readonly count: (rig: Rig) => Promise<number>;
  readonly whileRunning: boolean;
}

/** A sidecar in a process of its own, an app that it calls back, and a publisher: the whole way of a message, and what came of it. */
export class Rig {
  /** The data of every publish that was acknowledged. */
  readonly acknowledged = new Set<string>();
  /** Every event that the app took, in order. */
  readonly received: ReceivedEvent[] = [];
  /** What the app answers. */
  handler: (event: ReceivedEvent) => HandlerResult | Promise<HandlerResult> = () => "success";
  readonly #sidecar: Sidecar;
  readonly #appAddress: string;
  #app: Subscriber | undefined;
  #publishing = false;
  #published = 0;
  #publishers: Promise<void>[] = [];
  #arrived: () => void = () => undefined;

  private constructor(sidecar: Sidecar, appAddress: string) {
    this.#sidecar = sidecar;
    this.#appAddress = appAddress;
  }

  /** `delivery` as in the configuration. */
  static async make(component: Component, delivery: object = {}): Promise<Rig> {
    const address = `127.0.0.1:${await freePort()}`;
    return new Rig(await Sidecar.make({ app: { address }, delivery, pubsubs: { [PUBSUB]: component } }), address);
  }

  startSidecar(): Promise<void> {
    return this.#sidecar.start();
  }

  /** kill -9. */
  killSidecar(): Promise<void> {
    return this.#sidecar.kill();
  }

  /** SIGTERM; resolves to the exit code. */
  stopSidecar(): Promise<number | null | undefined> {
    return this.#sidecar.stop();
  }

  get directory(): string {
    return this.#sidecar.directory;
  }

  get addresses(): { readonly grpc: string; readonly app: string } {
    return { grpc: this.#sidecar.address, app: this.#appAddress };
  }

  get pid(): number | undefined {
    return this.#sidecar.pid;
  }

  get log(): string {
    return this.#sidecar.log;
  }

  async startApp(): Promise<void> {
    this.#app = createSubscriber({ address: this.#appAddress }).subscribe(PUBSUB, TOPIC, (event) => {
      this.received.push(event);
      this.#arrived();
      return this.handler(event);
    });
    await this.#app.listen();
  }

  async stopApp(): Promise<void> {
    await this.#app?.close(AbortSignal.timeout(5_000));
    this.#app = undefined;
  }

  get publisher(): Publisher {
    return this.#sidecar.publisher;
  }

  /** Publishes without pause until `stopLoad`. A publish that fails is not tried again: only what was acknowledged is owed. */
  startLoad(): void {
    this.#publishing = true;
    this.#publishers = Array.from({ length: AT_ONCE }, async () => {
      while (this.#publishing) {
        const data = `m${++this.#published}`;
        await this.publisher.publishEvent(PUBSUB, TOPIC, data).then(
          () => this.acknowledged.add(data),
          () => undefined,
        );
      }
    });
  }

  async stopLoad(): Promise<void> {
    this.#publishing = false;
    await Promise.all(this.#publishers);
  }

  /** Resolves once so many publishes were acknowledged in all. */
  async acknowledgedAtLeast(count: number): Promise<void> {
    await expect.poll(() => this.acknowledged.size, { timeout: 30_000, interval: 5 }).toBeGreaterThanOrEqual(count);
  }

  /** Resolves once the app took an event for which `matches` holds. */
  took(matches: (event: ReceivedEvent) => boolean): Promise<ReceivedEvent> {
    return new Promise((resolve) => {
      this.#arrived = () => {
        const found = this.received.find(matches);
        if (found) resolve(found);
      };
      this.#arrived();
    });
  }

  get receivedTexts(): ReadonlySet<string> {
    return new Set(this.received.map((event) => event.text()));
  }

  /** Everything that was acknowledged arrived; what is missing is named. */
  async expectAllArrived(): Promise<void> {
    const missing = () => {
      const texts = this.receivedTexts;
      return [...this.acknowledged].filter((data) => !texts.has(data)).slice(0, 5);
    };
    await expect.poll(missing, { timeout: 40_000, interval: 50 }).toEqual([]);
  }

  shown(): Promise<Shown | undefined> {
    return this.#sidecar.shown(PUBSUB, TOPIC);
  }

  /** What Prometheus would scrape: a value by its name and labels. */
  metrics(): Promise<ReadonlyMap<string, number>> {
    return this.#sidecar.metrics();
  }

  async expectState(state: string): Promise<void> {
    await expect.poll(async () => (await this.shown())?.state, { timeout: 20_000 }).toBe(state);
  }

  /** Nothing is pending here or at the broker, and one more restart delivers nothing: a sidecar that never acknowledges must not pass. */
  async expectSettled({ count, whileRunning }: PendingAtBroker): Promise<void> {
    if (whileRunning) await expect.poll(() => count(this), { timeout: 20_000 }).toBe(0);
    await expect.poll(async () => (await this.shown())?.pending, { timeout: 20_000 }).toBe(0);
    expect((await this.shown())?.inFlight).toBe(0);
    expect(await this.stopSidecar()).toBe(0);
    expect(await count(this)).toBe(0);
    const before = this.received.length;
    await this.startSidecar();
    await this.expectState("running");
    // Whatever was still owed is older, and comes before it.
    await this.publisher.publishEvent(PUBSUB, TOPIC, "the last one");
    await this.took((event) => event.text() === "the last one");
    expect(this.received.slice(before).map((event) => event.text())).toEqual(["the last one"]);
  }

  async close(): Promise<void> {
    await this.stopLoad();
    await this.stopApp();
    await this.#sidecar.close();
  }
}
