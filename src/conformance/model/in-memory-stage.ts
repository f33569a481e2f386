import { randomUUID } from "node:crypto";
import { definition } from "../../components/in-memory/index.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import type { SteppedClock } from "../stepped-clock.ts";
import { type Scene, type Stage, TOPIC, textOf } from "./stage.ts";

/** `spoil` puts a fault around each component. */
export function inMemoryScene(spoil: (sound: PubSub) => PubSub = (sound) => sound): Scene {
  return {
    name: "in-memory",
    sidecars: 3,
    oneProcess: false,
    fates: [],
    turns: false,
    settlesAtOnce: true,
    freezes: false,
    open: (clock) => InMemoryStage.open(clock, spoil),
  };
}

/** Sidecars that share one broker in memory. It knows no lost request; a process that ends is a component that closes under its engine. */
class InMemoryStage implements Stage {
  readonly waiting = 0;
  readonly #clock: SteppedClock;
  readonly #spoil: (sound: PubSub) => PubSub;
  readonly #options = definition.options.parse({ broker: randomUUID() });
  readonly #components: PubSub[] = [];
  readonly #witness: PubSub;
  readonly #seen = new Map<string, { readonly texts: string[]; last: string | undefined }>();

  private constructor(clock: SteppedClock, spoil: (sound: PubSub) => PubSub) {
    this.#clock = clock;
    this.#spoil = spoil;
    this.#witness = this.#open();
  }

  /** A group that never reads keeps what was stored. */
  static async open(clock: SteppedClock, spoil: (sound: PubSub) => PubSub): Promise<InMemoryStage> {
    const stage = new InMemoryStage(clock, spoil);
    const witness = { topic: TOPIC, group: "witness", start: "earliest", order: "none", options: {} } as const;
    await stage.#witness.ensure(TOPIC, [witness], new AbortController().signal);
    return stage;
  }

  connect(sidecar: number): Promise<PubSub> {
    const component = this.#spoil(this.#open());
    this.#components[sidecar] = component;
    return Promise.resolve(component);
  }

  step(): Promise<void> {
    return Promise.resolve();
  }

  turn(): void {}

  freeze(): void {}

  crash(sidecar: number): Promise<void> {
    return this.#components[sidecar]?.close(AbortSignal.abort()) ?? Promise.resolve();
  }

  stop(sidecar: number): Promise<void> {
    return this.crash(sidecar);
  }

  async stored(topic: string): Promise<readonly string[]> {
    const seen = this.#seen.get(topic) ?? { texts: [], last: undefined };
    this.#seen.set(topic, seen);
    for (const { data, position } of (await this.#witness.admin?.browse?.(topic, seen.last, 1_000)) ?? []) {
      seen.texts.push(textOf(data));
      seen.last = position;
    }
    return seen.texts;
  }

  async end(): Promise<void> {
    for (const component of [...this.#components, this.#witness]) await component.close(AbortSignal.abort());
  }

  #open(): PubSub {
    return definition.open(this.#options, { name: "test", appId: "app1", process: "host:1", dataDir: "", clock: this.#clock });
  }
}
