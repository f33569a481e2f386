import fc from "fast-check";
import { expect, test } from "vitest";
import type { AppSubscription, Verdict } from "../../app/channel.ts";
import { Engine } from "../../engine/engine.ts";
import { type Call, PlayedApp } from "../engine/played-app.ts";
import { POLICY, PUBLISHING } from "../engine/policy.ts";
import { UNHEARD } from "../engine/sidecar.ts";
import { SteppedClock } from "../stepped-clock.ts";
import { type Fate, LEASE_MS, ModelBroker, type ModelClient } from "./model-broker.ts";

const TOPIC = "t";
const DEAD = "dead";
const MOST_FAILURES = 2;
const SIDECARS = 3;

interface Replica {
  readonly engine: Engine;
  readonly client: ModelClient;
  readonly app: PlayedApp;
  answered: number;
}

/** Sidecars, their apps and a broker, in a world in which everything waits for its turn. */
class World {
  readonly clock = new SteppedClock(0);
  readonly broker: ModelBroker;
  readonly order: "none" | "key";
  readonly replicas: Replica[] = [];
  /** What the publisher was told is stored. */
  readonly acknowledged = new Set<string>();
  readonly processed = new Set<string>();
  readonly dropped = new Set<string>();
  readonly failures = new Map<string, number>();
  readonly losses = new Map<string, number>();
  /** What should not be, in words. */
  readonly wrong: string[] = [];
  readonly #stored: string[] = [];
  #published = 0;

  constructor(order: "none" | "key", moves: boolean) {
    this.order = order;
    this.broker = new ModelBroker(this.clock, moves);
  }

  async start(index: number): Promise<void> {
    const client = this.broker.connect();
    const metadata = { order: this.order, deadLetterTopic: DEAD, maxFailures: String(MOST_FAILURES) };
    const app = new PlayedApp([{ pubsub: "p", topic: TOPIC, metadata } satisfies AppSubscription], 1_000);
    const delivery = { ...POLICY, maxInFlight: 4, maxPending: 12 };
    const options = {
      publish: PUBLISHING,
      publishBuffer: 1e6,
      maxMessageBytes: 1e6,
      deliveryBuffer: 1e6,
      delivery,
    };
    const engine = new Engine(new Map([["p", { pubsub: client, group: "g" }]]), app, this.clock, options, UNHEARD);
    this.replicas[index] = { engine, client, app, answered: 0 };
    await engine.look();
    engine.start([], []);
    await this.settle();
  }

  /** What follows from what happened, without time passing. Every call that began is looked at. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 4; turn++) await new Promise(setImmediate);
  }

  publish(index: number, key: number): void {
    this.#published += 1;
    // A publisher of its own for each sidecar: between two, there is no order to keep.
    const name = `${index}.${key}.${this.#published}`;
    const request = {
      pubsub: "p",
      topic: TOPIC,
      data: Buffer.from(name),
      contentType: "text/plain",
      metadata: { partitionKey: `${index}.${key}` },
    };
    const replica = this.replicas[index];
    replica?.engine.publish(request, (error) => {
      if (!error && !replica.client.dead) this.acknowledged.add(name);
    });
  }

  /** The oldest call without an answer, of a process that runs. */
  answer(index: number, verdict: Verdict): void {
    const replica = this.replicas[index];
    if (!replica || replica.client.frozen) return;
    this.#look();
    const call = replica.app.calls[replica.answered];
    if (!call) return;
    replica.answered += 1;
    this.#tell(call, verdict);
  }

  #tell(call: Call, verdict: Verdict): void {
    if (verdict === "success") this.processed.add(call.text);
    if (verdict === "drop") this.dropped.add(call.text);
    if (verdict === "retry" || verdict === "failed") this.failures.set(call.text, (this.failures.get(call.text) ?? 0) + 1);
    if (verdict === "lost") this.losses.set(call.text, (this.losses.get(call.text) ?? 0) + 1);
    call.answer(verdict);
  }

  /** The app process ends with all that it has, and another takes its place. */
  appDies(index: number): void {
    const replica = this.replicas[index];
    if (!replica || replica.client.frozen) return;
    replica.app.go();
    const open = replica.app.calls.slice(replica.answered);
    replica.answered = replica.app.calls.length;
    for (const call of open) this.#tell(call, "lost");
    replica.app.comeBack();
  }

  advance(ms: number): void {
    for (let left = ms; left > 0; left -= LEASE_MS / 3) {
      this.clock.advance(Math.min(left, LEASE_MS / 3));
      for (const { client } of this.replicas) client.turn(false);
    }
  }

  async crash(index: number, arriving: number): Promise<void> {
    const replica = this.replicas[index];
    if (!replica) return;
    this.broker.kill(replica.client, arriving);
    await this.start(index);
  }

  async stop(index: number): Promise<void> {
    const replica = this.replicas[index];
    if (!replica || replica.client.frozen) return;
    await replica.engine.drain(AbortSignal.abort());
    // What it settled goes out before the process ends.
    for (let step = 0; step < 200 && this.broker.waiting > 0; step++) this.broker.step("answered");
    this.broker.kill(replica.client, Number.POSITIVE_INFINITY);
    await this.start(index);
  }

  /** All faults end, and every call is answered with success, until nothing happens any more. */
  async heal(): Promise<void> {
    for (const { client, app } of this.replicas) {
      client.frozen = false;
      app.comeBack();
    }
    for (let round = 0; round < 60; round++) {
      while (this.broker.waiting > 0) {
        this.broker.step("answered");
        await this.settle();
      }
      this.advance(10_000);
      await this.settle();
      for (const index of this.replicas.keys()) {
        this.#look();
        for (let call = 0; call < 50; call++) this.answer(index, "success");
      }
      await this.settle();
      if (this.quiet && round > 2) return;
    }
  }

  get quiet(): boolean {
    const { pending, cursor } = this.broker.group({ topic: TOPIC, group: "g" });
    return this.broker.waiting === 0 && pending.size === 0 && cursor === this.stored.length;
  }

  get stored(): readonly string[] {
    const { entries } = this.broker.topic(TOPIC);
    for (const { data } of entries.slice(this.#stored.length)) this.#stored.push(textOf(data));
    return this.#stored;
  }

  get deadLetters(): readonly string[] {
    return this.broker.topic(DEAD).entries.map(({ data }) => textOf(data));
  }

  /** Looks at the calls that began since the last look. */
  #look(): void {
    this.#checkHolders();
    if (this.order === "none") return;
    for (const { app, answered } of this.replicas) {
      for (const call of app.calls.slice(answered)) {
        if (this.#seen.has(call)) continue;
        this.#seen.add(call);
        this.#checkOrder(call);
      }
    }
  }

  readonly #seen = new Set<Call>();
  readonly #stoodStill = new Set<ModelClient>();

  /** SIGSTOP, SIGCONT. */
  freeze(index: number, frozen: boolean): void {
    const client = this.replicas[index]?.client;
    if (!client) return;
    client.frozen = frozen;
    this.#stoodStill.add(client);
  }

  /** While leases are renewed in time, a message is with one app. A process that stood still cannot know better. */
  #checkHolders(): void {
    const held = this.replicas
      .filter(({ client }) => !this.#stoodStill.has(client))
      .flatMap(({ app, answered }) => app.calls.slice(answered));
    const names = held.map(({ text }) => text);
    for (const name of names) {
      const storedOnce = this.stored.indexOf(name) === this.stored.lastIndexOf(name);
      if (storedOnce && names.indexOf(name) !== names.lastIndexOf(name)) this.wrong.push(`${name} was with two apps at once`);
    }
  }

  /** All that stands before it, of its key, is done with. */
  #checkOrder(call: Call): void {
    const key = call.text.split(".").slice(0, 2).join(".");
    const own = this.stored.filter((name) => name.startsWith(`${key}.`));
    const before = own.slice(0, own.indexOf(call.text));
    const dead = new Set(this.deadLetters);
    for (const name of before) {
      if (!this.processed.has(name) && !this.dropped.has(name) && !dead.has(name))
        this.wrong.push(`${call.text} was called before ${name} was settled`);
    }
  }
}

function textOf(data: Uint8Array): string {
  return (JSON.parse(Buffer.from(data).toString()) as { readonly data: string }).data;
}

type Action = (world: World) => void | Promise<void>;

const replica = fc.nat({ max: SIDECARS - 1 });
const fates = fc.constantFrom<Fate>("answered", "answered", "answered", "reply lost", "request lost");
const verdicts = fc.constantFrom<Verdict>("success", "success", "success", "retry", "failed", "drop");

/** Each with its name, so that a counterexample can be read. */
const actions: fc.Arbitrary<readonly [name: string, act: Action]> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(replica, fc.nat({ max: 1 })).map(([i, key]) => [`publish ${i} ${key}`, (w: World) => w.publish(i, key)] as const),
  },
  { weight: 8, arbitrary: fates.map((fate) => [`step ${fate}`, (w: World) => w.broker.step(fate)] as const) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(replica, fc.boolean())
      .map(([i, lost]) => [`turn ${i} ${lost}`, (w: World) => w.replicas[i]?.client.turn(lost)] as const),
  },
  {
    weight: 8,
    arbitrary: fc.tuple(replica, verdicts).map(([i, verdict]) => [`answer ${i} ${verdict}`, (w: World) => w.answer(i, verdict)] as const),
  },
  { weight: 3, arbitrary: fc.constantFrom(100, 1_000, 5_000, 16_000).map((ms) => [`advance ${ms}`, (w: World) => w.advance(ms)] as const) },
  {
    weight: 1,
    arbitrary: fc.tuple(replica, fc.nat({ max: 3 })).map(([i, n]) => [`crash ${i} ${n}`, (w: World) => w.crash(i, n)] as const),
  },
  { weight: 1, arbitrary: replica.map((i) => [`stop ${i}`, (w: World) => w.stop(i)] as const) },
  { weight: 1, arbitrary: replica.map((i) => [`app dies ${i}`, (w: World) => w.appDies(i)] as const) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(replica, fc.boolean())
      .map(([i, frozen]) => [`${frozen ? "freeze" : "thaw"} ${i}`, (w: World) => w.freeze(i, frozen)] as const),
  },
);

const named = (name: string, act: Action) => ({ act, toString: () => name, [fc.toStringMethod]: () => name });

test.each([
  ["none", false],
  ["none", true],
  ["key", false],
  ["key", true],
] as const)(
  "whatever happens: nothing is lost, keys keep their order, and only failures make dead letters (order: %s, the broker moves: %s)",
  { timeout: 120_000 },
  async (order, moves) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          actions.map(([name, act]) => named(name, act)),
          { minLength: 20, maxLength: 120 },
        ),
        async (todo) => {
          const world = new World(order, moves);
          for (let index = 0; index < SIDECARS; index++) await world.start(index);
          for (const { act } of todo) {
            await act(world);
            await world.settle();
          }
          await world.heal();
          const done = new Set([...world.processed, ...world.dropped, ...world.deadLetters]);
          expect(world.wrong).toEqual([]);
          expect([...world.acknowledged, ...world.stored].filter((name) => !done.has(name))).toEqual([]);
          expect(world.quiet).toBe(true);
          const undeserved = world.deadLetters.filter((name) => {
            const failures = (world.failures.get(name) ?? 0) + Math.floor((world.losses.get(name) ?? 0) / 3);
            return failures < MOST_FAILURES && !world.dropped.has(name);
          });
          expect(undeserved).toEqual([]);
        },
      ),
      { numRuns: Number(process.env.MODEL_RUNS ?? 300) },
    );
  },
);
