import { randomBytes } from "node:crypto";
import { setTimeout as passes } from "node:timers/promises";
import { freePort } from "../brokers/server.ts";
import type { ToxicLink } from "../brokers/toxiproxy.ts";
import { type Shown, Sidecar, type SidecarSettings } from "../e2e/sidecar.ts";
import { App } from "./app.ts";
import type { BrokerDisk, BrokerPair, BrokerStore, Owed, ServerProcess } from "./broker.ts";
import { Ledger } from "./ledger.ts";
import { Load, MOST_OWED, PUBLISHERS } from "./load.ts";
import { GROUP, PUBSUB } from "./names.ts";
import type { Scenario } from "./scenario.ts";
import type { Stage } from "./stage.ts";
import { untilRight } from "./until.ts";

/** Small, so that a window's worth of duplicates is few beside what is published. */
export const WINDOW = 64;
const DELIVERY = { maxInFlight: 32, maxPending: WINDOW };
const PATIENCE_MS = 30_000;
/** Subscriptions of which a failure tells. */
const SAID = 10;

/** One scenario at work: the sidecars, their app, the publishers, and what came of every message. */
export class Run {
  readonly ledger = new Ledger();
  readonly stage: Stage;
  readonly topics: readonly string[];
  /** With those of dead letters. */
  readonly #subscribed: readonly string[];
  readonly #deadLetterTopic: string | undefined;
  readonly sidecars: readonly Sidecar[];
  readonly app: App;
  readonly load: Load;
  readonly store: BrokerStore;
  /** The two servers of a scenario that has them. */
  readonly pair: BrokerPair | undefined;
  readonly #disk: BrokerDisk | undefined;
  #cuts = 0;
  #cutAt = Number.NEGATIVE_INFINITY;
  /** The broker has lost acknowledgements, as it may. */
  #forgot = false;
  /** What the scenario found out and wants printed. */
  readonly remarks: string[] = [];

  private constructor(scenario: Scenario, stage: Stage, sidecars: readonly Sidecar[], app: string[], topics: string[], pair?: BrokerPair) {
    this.stage = stage;
    this.sidecars = sidecars;
    this.topics = topics;
    const deadLetterTopic = scenario.deadLetters && deadLettersOf(topics);
    this.#deadLetterTopic = deadLetterTopic;
    this.#subscribed = deadLetterTopic === undefined ? topics : [...topics, deadLetterTopic];
    this.pair = pair;
    const needsDisk = scenario.needs.includes("full-disk") || scenario.needs.includes("read-only");
    this.#disk = needsDisk ? stage.server.disk?.(this.sidecar()) : undefined;
    this.store = pair ?? stage.server;
    const replicas = sidecars.map((sidecar, index) => ({ address: app[index] ?? "", sidecar: sidecar.address }));
    this.app = new App(this.ledger, { pubsub: PUBSUB, topics, replicas, ...(deadLetterTopic !== undefined && { deadLetterTopic }) });
    this.load = new Load(this.ledger, {
      topics,
      ordered: scenario.ordered === true,
      bytes: scenario.bytes ?? 0,
      mostOwed: scenario.byHand ? Number.POSITIVE_INFINITY : MOST_OWED,
      publisher: (number) => {
        const working = sidecars.filter((one) => one.working);
        return working[number % working.length]?.publisher;
      },
    });
  }

  static async make(scenario: Scenario, stage: Stage): Promise<Run> {
    const pair = scenario.pair && (await stage.pair(scenario.pair === "safe"));
    const component = pair?.component ?? stage.server.component(stage.port);
    const mark = randomBytes(4).toString("hex");
    const topics = Array.from({ length: scenario.topics ?? 1 }, (_, index) => `${scenario.name}-${mark}-${index}`);
    const addresses: string[] = [];
    const sidecars: Sidecar[] = [];
    for (let replica = 0; replica < (scenario.replicas ?? 1); replica++) {
      const address = `127.0.0.1:${await freePort()}`;
      addresses.push(address);
      const settings: SidecarSettings = {
        app: { address },
        pubsubs: { [PUBSUB]: component },
        delivery: { ...DELIVERY, ...scenario.delivery },
        publish: { timeout: "2s", ...scenario.publish },
        subscriptions: declared(scenario, topics),
      };
      sidecars.push(await Sidecar.make(settings));
    }
    return new Run(scenario, stage, sidecars, addresses, topics, pair);
  }

  /** Sidecars and app, at work. */
  async begin({ app }: Scenario): Promise<void> {
    if (app !== "absent") await this.app.start(app);
    await this.startAll();
    if (app !== "absent") await this.untilRunning();
  }

  get link(): ToxicLink {
    return this.stage.link;
  }

  get server(): ServerProcess {
    const { process } = this.stage.server;
    if (!process) throw new Error(`${this.stage.broker.name} has no process of its own`);
    return process;
  }

  get topic(): string {
    return this.topics[0] ?? "";
  }

  get deadLetterTopic(): string {
    if (this.#deadLetterTopic === undefined) throw new Error("the scenario has no dead letters");
    return this.#deadLetterTopic;
  }

  get disk(): BrokerDisk {
    if (!this.#disk) throw new Error(`there is no disk of ${this.stage.broker.name}'s own, or the scenario has asked for none`);
    return this.#disk;
  }

  sidecar(replica = 0): Sidecar {
    const found = this.sidecars[replica];
    if (!found) throw new Error(`there is no replica ${replica}`);
    return found;
  }

  /** Connections, processes and servers that ended in the middle of their work: each may cost a window of duplicates. */
  get cuts(): number {
    return this.#cuts;
  }

  set cuts(count: number) {
    this.#cuts = count;
    this.#cutAt = performance.now();
  }

  /** Resolves when nothing can be lent any more to what was cut, where the broker itself does not tell. */
  async nothingLent(): Promise<void> {
    const { backWithinMs = 0 } = this.store;
    const wait = this.#cutAt + backWithinMs - performance.now();
    if (wait > 0) await passes(wait);
  }

  /** Most duplicates that the cuts excuse. */
  get excused(): number {
    return this.#forgot ? Number.POSITIVE_INFINITY : this.cuts * (WINDOW + PUBLISHERS);
  }

  /** kill -9 of the broker. */
  async killServer(): Promise<void> {
    await this.server.kill();
    this.cut();
    const { forgetsAcks } = this.stage.broker;
    if (forgetsAcks === undefined || this.#forgot) return;
    this.#forgot = true;
    this.remarks.push(forgetsAcks);
  }

  async startAll(): Promise<void> {
    for (const sidecar of this.sidecars) if (!sidecar.working) await sidecar.start();
  }

  /** kill -9. */
  async kill(replica = 0): Promise<void> {
    await this.sidecar(replica).kill();
    this.cuts += 1;
  }

  /** SIGTERM, which must end in order. */
  async stop(replica = 0): Promise<void> {
    const sidecar = this.sidecar(replica);
    const code = await sidecar.stop();
    if (code !== 0) throw new Error(`expected the sidecar to exit with 0 on SIGTERM, found ${code}`);
  }

  /** kill -9 of the app, while it has something to do. */
  async killApp(): Promise<void> {
    await this.#appWorks();
    await this.app.kill();
    this.cuts += 1;
  }

  /**
   * kill -9 of the first sidecar and the app, while that has something to do: an app that outlives its sidecar ends what it has been
   * given, and hides that the sidecar settled it too early.
   */
  async killPod(): Promise<void> {
    await this.#appWorks();
    await Promise.all([this.app.kill(), this.sidecar().kill()]);
    this.cuts += 1;
  }

  #appWorks(): Promise<void> {
    return untilRight(() => (this.app.running.length > 0 ? undefined : "expected the app to have a call, found none"), PATIENCE_MS);
  }

  /** A fault of the network that all replicas feel. */
  cut(times = 1): void {
    this.cuts += this.sidecars.length * times;
  }

  /** Resolves once so many more publishes were acknowledged. */
  async acknowledgedMore(count: number, withinMs = PATIENCE_MS): Promise<void> {
    const { acknowledged } = this.ledger;
    const wanted = acknowledged.size + count;
    const wrong = () => {
      const refused = [...this.load.refused].map(([why, times]) => `${times} with ${why}`).join(", ");
      return `expected ${count} more acknowledged publishes, found ${acknowledged.size + count - wanted}; refused: ${refused || "none"}`;
    };
    await untilRight(() => (acknowledged.size >= wanted ? undefined : wrong()), withinMs);
  }

  /** Resolves once so many more publishes were not acknowledged. */
  async refusedMore(count: number): Promise<void> {
    const refused = () => [...this.load.refused.values()].reduce((sum, times) => sum + times, 0);
    const wanted = refused() + count;
    await untilRight(() => (refused() >= wanted ? undefined : `expected ${count} refused publishes, found ${refused()}`), PATIENCE_MS);
  }

  /** Resolves once the app was called so many more times. */
  async deliveredMore(count: number): Promise<void> {
    const { deliveries } = this.ledger;
    const wanted = deliveries.length + count;
    const wrong = () => `expected ${count} more deliveries, found ${deliveries.length + count - wanted}`;
    await untilRight(() => (deliveries.length >= wanted ? undefined : wrong()), PATIENCE_MS);
  }

  async untilRunning(withinMs = PATIENCE_MS): Promise<void> {
    for (const sidecar of this.sidecars) {
      if (!sidecar.working) continue;
      await untilRight(async () => {
        const shown = await sidecar.subscriptions(PUBSUB);
        const late = this.#subscribed.find((topic) => shown.get(topic)?.state !== "running");
        return late && `expected the subscription of ${late} to run, found it ${shown.get(late)?.state ?? "unknown"}`;
      }, withinMs);
    }
  }

  /** What health of all working sidecars counts, summed up. */
  async counted(what: keyof Shown["counts"]): Promise<number> {
    let sum = 0;
    for (const sidecar of this.sidecars) {
      if (!sidecar.working) continue;
      for (const { counts } of (await sidecar.subscriptions(PUBSUB)).values()) sum += counts[what];
    }
    return sum;
  }

  /** What the working sidecars say of themselves, for whoever looks into a failure. */
  async health(): Promise<string> {
    const said: string[] = [];
    for (const [replica, sidecar] of this.sidecars.entries()) {
      if (!sidecar.working) continue;
      const shown = await sidecar.subscriptions(PUBSUB).catch((error: unknown) => new Map([["health", String(error)]]));
      for (const [topic, details] of shown) said.push(`\nreplica ${replica} says of ${topic}: ${JSON.stringify(details)}`);
    }
    return said.slice(0, SAID).join("");
  }

  /** Asked of the broker itself. Undefined: nobody can be asked. */
  async owed(): Promise<string | undefined> {
    for (const topic of this.#subscribed) {
      const owed = await this.owedOf(topic);
      if (owed && (owed.pending !== 0 || owed.lag !== 0)) {
        return `expected nothing pending and no lag at the broker, found ${owed.pending} pending and a lag of ${owed.lag} of ${topic}`;
      }
    }
    return undefined;
  }

  async owedOf(topic: string): Promise<Owed | undefined> {
    return this.store.owed?.(topic, GROUP, this.sidecar().directory);
  }

  /** What is acknowledged has arrived, but for these. */
  async arrived(except: (number: number) => boolean = () => false): Promise<void> {
    await untilRight(() => {
      const missing = this.ledger.missing.filter((number) => !except(number));
      return missing.length === 0 ? undefined : `${missing.length} have not arrived`;
    }, PATIENCE_MS);
  }

  async close(): Promise<void> {
    this.#disk?.close();
    for (const sidecar of this.sidecars) await sidecar.close();
    await this.load.stop();
    await this.app.kill();
    await this.pair?.stop();
  }
}

const deadLettersOf = (topics: readonly string[]): string => `${topics[0]}-dead`;

function declared({ subscription, deadLetters }: Scenario, topics: readonly string[]): readonly object[] {
  if (!subscription && !deadLetters) return [];
  const dead = deadLetters ? { deadLetterTopic: deadLettersOf(topics) } : {};
  return topics.map((topic) => ({ pubsub: PUBSUB, topic, ...dead, ...subscription }));
}
