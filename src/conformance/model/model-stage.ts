import type { PubSub } from "../../pubsub/pubsub.ts";
import type { SteppedClock } from "../stepped-clock.ts";
import { ModelBroker } from "./model-broker.ts";
import type { ModelClient } from "./model-client.ts";
import { type Fate, type Scene, type Stage, textOf } from "./stage.ts";

/** The broker that has all the traps. `moves`: whether it can move a message in one step. */
export function modelScene(moves: boolean): Scene {
  return {
    name: moves ? "the model, which moves" : "the model",
    sidecars: 3,
    oneProcess: false,
    fates: ["answered", "answered", "answered", "reply lost", "request lost"],
    turns: true,
    settlesAtOnce: false,
    freezes: true,
    open: (clock) => Promise.resolve(new ModelStage(clock, moves)),
  };
}

class ModelStage implements Stage {
  readonly #broker: ModelBroker;
  readonly #clients: ModelClient[] = [];
  readonly #texts = new Map<string, string[]>();

  constructor(clock: SteppedClock, moves: boolean) {
    this.#broker = new ModelBroker(clock, moves);
  }

  connect(sidecar: number): Promise<PubSub> {
    const client = this.#broker.connect();
    this.#clients[sidecar] = client;
    return Promise.resolve(client);
  }

  get waiting(): number {
    return this.#broker.waiting;
  }

  step(fate: Fate): Promise<void> {
    this.#broker.step(fate);
    return Promise.resolve();
  }

  turn(sidecar: number, replyLost: boolean): void {
    this.#clients[sidecar]?.turn(replyLost);
  }

  freeze(sidecar: number, frozen: boolean): void {
    const client = this.#clients[sidecar];
    if (client) client.frozen = frozen;
  }

  crash(sidecar: number, arriving: number): Promise<void> {
    const client = this.#clients[sidecar];
    if (client) this.#broker.kill(client, arriving);
    return Promise.resolve();
  }

  /** What it settled goes out before the process ends. */
  async stop(sidecar: number): Promise<void> {
    for (let step = 0; step < 200 && this.waiting > 0; step++) this.#broker.step("answered");
    await this.crash(sidecar, Number.POSITIVE_INFINITY);
  }

  stored(topic: string): Promise<readonly string[]> {
    const texts = this.#texts.get(topic) ?? [];
    this.#texts.set(topic, texts);
    for (const { data } of this.#broker.topic(topic).entries.slice(texts.length)) texts.push(textOf(data));
    return Promise.resolve(texts);
  }

  end(): Promise<void> {
    return Promise.resolve();
  }
}
