import type { AppSubscription, Verdict } from "../../app/channel.ts";
import { Engine } from "../../engine/engine.ts";
import { PubSubError } from "../../pubsub/error.ts";
import { type Call, PlayedApp } from "../engine/played-app.ts";
import { POLICY, PUBLISHING } from "../engine/policy.ts";
import { UNHEARD } from "../engine/sidecar.ts";
import { SteppedClock } from "../stepped-clock.ts";
import { LEASE_MS } from "./model-reader.ts";
import { DEAD, type Fate, type Scene, type Stage, TOPIC } from "./stage.ts";
import { type Holder, Witness } from "./witness.ts";

const MOST_FAILURES = 2;

const OPTIONS = {
  publish: PUBLISHING,
  publishBuffer: 1e6,
  maxMessageBytes: 1e6,
  deliveryBuffer: 1e6,
  delivery: { ...POLICY, maxInFlight: 4, maxPending: 12 },
} as const;

/** A sidecar and its app. */
interface Replica {
  readonly engine: Engine;
  readonly app: PlayedApp;
  /** How many of the app's calls have an answer. */
  answered: number;
  /** The sidecar stands still. */
  frozen: boolean;
  /** The app does not answer. */
  stalled: boolean;
  /** Its engine stops by and by, and has, when it is "over". */
  draining: "no" | "under way" | "over";
  alive: boolean;
}

/** Sidecars, their apps and a broker, in a world in which everything waits for its turn. */
export class World {
  readonly #witness: Witness;
  readonly #clock: SteppedClock;
  readonly #scene: Scene;
  readonly #stage: Stage;
  readonly #order: "none" | "key";
  readonly #replicas: Replica[] = [];
  #published = 0;

  private constructor(scene: Scene, stage: Stage, clock: SteppedClock, order: "none" | "key") {
    this.#scene = scene;
    this.#stage = stage;
    this.#clock = clock;
    this.#order = order;
    this.#witness = new Witness(stage, order, scene.settlesAtOnce);
  }

  static async begin(scene: Scene, order: "none" | "key"): Promise<World> {
    const clock = new SteppedClock(0);
    const world = new World(scene, await scene.open(clock), clock, order);
    for (let index = 0; index < scene.sidecars; index++) await world.#start(index);
    return world;
  }

  async end(): Promise<void> {
    for (const replica of this.#replicas) replica.alive = false;
    await this.#stage.end();
  }

  /** What follows from what happened, without time passing. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 4; turn++) await new Promise(setImmediate);
    for (const [index, { draining }] of this.#replicas.entries()) if (draining === "over") await this.#restart(index);
  }

  /** So many of one key, in one turn. */
  publish(index: number, key: number, count: number): void {
    for (let one = 0; one < count; one++) this.#publish(index, key);
  }

  #publish(index: number, key: number): void {
    this.#published += 1;
    // A publisher of its own for each sidecar: between two, there is no order to keep.
    const name = `${index}.${key}.${this.#published}`;
    const metadata = { partitionKey: `${index}.${key}` };
    const request = { pubsub: "p", topic: TOPIC, data: Buffer.from(name), contentType: "text/plain", metadata };
    const replica = this.#replicas[index];
    replica?.engine.publish(request, (error) => {
      if (!error && replica.alive) this.#witness.acknowledged.add(name);
    });
  }

  /** The oldest call without an answer. */
  async answer(index: number, verdict: Verdict): Promise<void> {
    const replica = this.#replicas[index];
    if (!replica || replica.frozen || replica.stalled) return;
    const call = replica.app.calls[replica.answered];
    if (!call) return;
    await this.#look();
    replica.answered += 1;
    this.#tell(call, verdict);
  }

  step(fate: Fate): Promise<void> {
    if (fate !== "answered" && this.#scene.oneProcess) this.#witness.leasesEnded(this.#holders);
    return this.#stage.step(fate);
  }

  turn(index: number, replyLost: boolean): void {
    this.#stage.turn(index, replyLost);
  }

  /** The app process ends with all that it has. */
  async appGoes(index: number): Promise<void> {
    const replica = this.#replicas[index];
    if (!replica || replica.frozen) return;
    await this.#look();
    replica.app.go();
    const open = replica.app.calls.slice(replica.answered);
    replica.answered = replica.app.calls.length;
    for (const call of open) this.#tell(call, "lost");
  }

  /** Another takes its place. */
  appComes(index: number): void {
    const replica = this.#replicas[index];
    if (!replica?.frozen) replica?.app.comeBack();
  }

  stall(index: number, stalled: boolean): void {
    const replica = this.#replicas[index];
    if (replica) replica.stalled = stalled;
  }

  /** SIGSTOP, SIGCONT. */
  freeze(index: number, frozen: boolean): void {
    const replica = this.#replicas[index];
    if (!replica) return;
    replica.frozen = frozen;
    this.#stage.freeze(index, frozen);
    this.#witness.cannotKnow(replica.app);
  }

  advance(ms: number): void {
    for (let left = ms; left > 0; left -= LEASE_MS / 3) {
      this.#clock.advance(Math.min(left, LEASE_MS / 3));
      for (const index of this.#replicas.keys()) this.#stage.turn(index, false);
    }
  }

  async crash(index: number, arriving: number): Promise<void> {
    const dead = this.#scene.oneProcess ? [...this.#replicas.keys()] : [index];
    for (const one of dead) (this.#replicas[one] as Replica).alive = false;
    await this.#stage.crash(index, arriving);
    for (const one of dead) await this.#start(one);
  }

  /** It stops at once, without waiting for the calls that run. */
  async stop(index: number): Promise<void> {
    const replica = this.#replicas[index];
    if (!replica || replica.frozen || replica.draining !== "no") return;
    await this.#through(ended(replica.engine, AbortSignal.abort()));
    await this.#restart(index);
  }

  /** It begins to stop, and waits for the calls that run. */
  drain(index: number): void {
    const replica = this.#replicas[index];
    if (!replica || replica.frozen || replica.draining !== "no") return;
    replica.draining = "under way";
    void ended(replica.engine, new AbortController().signal).then(() => {
      replica.draining = "over";
    });
  }

  /** All faults end, and every call is answered with success, until nothing happens any more. */
  async heal(): Promise<void> {
    for (const index of this.#replicas.keys()) {
      if (this.#replicas[index]?.frozen) this.freeze(index, false);
      this.stall(index, false);
      this.appComes(index);
    }
    for (let round = 0; round < 60; round++) {
      // In pieces shorter than anybody's patience.
      for (let piece = 0; piece < 5; piece++) {
        await this.#calm();
        this.advance(2_000);
        await this.settle();
      }
      for (const index of this.#replicas.keys()) for (let call = 0; call < 50; call++) await this.answer(index, "success");
      await this.settle();
      if (round > 2 && (await this.#quiet())) return;
    }
  }

  /** What should not be, in words, once it healed. */
  async faults(): Promise<readonly string[]> {
    const wrong = await this.#witness.faults(MOST_FAILURES);
    return (await this.#quiet()) ? wrong : [...wrong, "something still waits at the broker"];
  }

  /** Once what is under way is answered, nothing waits at the broker for anybody. */
  async #quiet(): Promise<boolean> {
    await this.#calm();
    if (this.#replicas.some(({ draining }) => draining !== "no")) return false;
    const asked = this.#replicas.map(({ engine }) => engine.backlogs(new AbortController().signal));
    const backlogs = await this.#through(Promise.all(asked));
    return backlogs.every((own) => own.length === 1 && own[0]?.messages === 0);
  }

  async #start(index: number): Promise<void> {
    const pubsub = await this.#stage.connect(index);
    const metadata = { order: this.#order, deadLetterTopic: DEAD, maxFailures: String(MOST_FAILURES) };
    const app = new PlayedApp([{ pubsub: "p", topic: TOPIC, metadata } satisfies AppSubscription], 1_000);
    const engine = new Engine(new Map([["p", { pubsub, group: "g" }]]), app, this.#clock, OPTIONS, UNHEARD);
    this.#replicas[index] = { engine, app, answered: 0, frozen: false, stalled: false, draining: "no", alive: true };
    await this.#through(engine.look());
    engine.start([], []);
    await this.settle();
  }

  async #restart(index: number): Promise<void> {
    const replica = this.#replicas[index] as Replica;
    replica.draining = "under way";
    await this.#stage.stop(index);
    replica.alive = false;
    await this.#start(index);
  }

  /** Until this is over, requests are answered. */
  async #through<T>(asked: Promise<T>): Promise<T> {
    let over = false;
    const answer = asked.finally(() => {
      over = true;
    });
    for (let step = 0; !over; step++) {
      if (step === 1_000) throw new Error("what was asked never ends, although every request is answered");
      await new Promise(setImmediate);
      if (!over) await this.#stage.step("answered");
    }
    return answer;
  }

  async #calm(): Promise<void> {
    for (let step = 0; this.#stage.waiting > 0; step++) {
      if (step === 1_000) throw new Error("requests follow one another without end");
      await this.#stage.step("answered");
      await this.settle();
    }
  }

  #tell(call: Call, verdict: Verdict): void {
    this.#witness.answered(call, verdict);
    call.answer(verdict);
  }

  #look(): Promise<void> {
    return this.#witness.look(this.#holders);
  }

  get #holders(): readonly Holder[] {
    return this.#replicas.map(({ app, answered }) => ({ app, open: app.calls.slice(answered) }));
  }
}

/** A broker that cannot be told goodbye, or not in time, does not keep a process from ending. */
async function ended(engine: Engine, signal: AbortSignal): Promise<void> {
  for (const part of ["drain", "close"] as const) {
    try {
      await engine[part](signal);
    } catch (error) {
      if (!(error instanceof PubSubError)) throw error;
    }
  }
}
