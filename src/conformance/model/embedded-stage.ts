import { existsSync, linkSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { storeSettings } from "../../components/embedded/config.ts";
import { definition, Embedded } from "../../components/embedded/index.ts";
import { Link, type Thread } from "../../components/embedded/link.ts";
import type { StoreSettings } from "../../components/embedded/protocol.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { spoil } from "../faults.fixture.ts";
import type { SteppedClock } from "../stepped-clock.ts";
import { HeldThread } from "./held-thread.ts";
import { inWorker, type StartMachine } from "./machine.ts";
import type { Fate, Scene, Stage } from "./stage.ts";

/** `sidecars` are one process, since one process owns the file: several are subscriptions of one group beside one another. Files are below `directory`. */
export function embeddedScene(sidecars: number, startMachine: StartMachine, directory: string): Scene {
  const answered: readonly Fate[] = Array(16).fill("answered");
  return {
    name: `embedded ${startMachine === inWorker ? "in its worker" : "in this thread"}, sidecars: ${sidecars}`,
    sidecars,
    oneProcess: true,
    // The request of a thread is lost, or its reply, when the thread dies.
    fates: [...answered, "reply lost", "request lost"],
    turns: false,
    settlesAtOnce: false,
    freezes: false,
    open: (clock) => Promise.resolve(new EmbeddedStage(clock, startMachine, sidecars, directory)),
  };
}

/** The embedded broker on its real file, whose thread answers when it is told to. */
class EmbeddedStage implements Stage {
  readonly #directory: string;
  /** The first world leaves it to the others: to write it takes longest, and what is in it does not matter. */
  readonly #ballast: string;
  readonly #clock: SteppedClock;
  readonly #startMachine: StartMachine;
  readonly #sidecars: number;
  readonly #stored = new Map<string, string[]>();
  #settings: StoreSettings;
  #component: PubSub | undefined;
  #thread: HeldThread | undefined;

  constructor(clock: SteppedClock, startMachine: StartMachine, sidecars: number, directory: string) {
    this.#directory = mkdtempSync(join(directory, "world-"));
    this.#clock = clock;
    this.#startMachine = startMachine;
    this.#sidecars = sidecars;
    const dataDir = join(this.#directory, "data");
    mkdirSync(dataDir);
    this.#ballast = join(directory, "ballast");
    const context = { name: "test", appId: "app1", process: "host:1", dataDir, clock };
    this.#settings = storeSettings(definition.options.parse({}), context);
    if (existsSync(this.#ballast)) linkSync(this.#ballast, `${this.#settings.file}.ballast`);
  }

  connect(): Promise<PubSub> {
    this.#component ??= this.#open();
    // The others go on when one of several closes.
    const shared = { close: () => Promise.resolve() };
    return Promise.resolve(this.#sidecars === 1 ? this.#component : spoil(this.#component, shared));
  }

  get waiting(): number {
    return this.#thread?.waiting ? 1 : 0;
  }

  step(fate: Fate): Promise<void> {
    return this.#thread?.step(fate) ?? Promise.resolve();
  }

  turn(): void {}

  freeze(): void {}

  async crash(_: number, arriving: number): Promise<void> {
    this.#component = undefined;
    await this.#thread?.kill(arriving > 0);
  }

  /** The process ends with its only sidecar, whose engine closed the component. */
  stop(): Promise<void> {
    if (this.#sidecars === 1) this.#component = undefined;
    return Promise.resolve();
  }

  stored(topic: string): Promise<readonly string[]> {
    return Promise.resolve(this.#stored.get(topic) ?? []);
  }

  async end(): Promise<void> {
    this.#component = undefined;
    await this.#thread?.terminate();
    if (!existsSync(this.#ballast)) linkSync(`${this.#settings.file}.ballast`, this.#ballast);
    rmSync(this.#directory, { recursive: true });
  }

  #open(): PubSub {
    // An engine whose process ended may still ask: it must not open the file again.
    const mine = (): boolean => this.#component === component;
    const component: PubSub = new Embedded(new Link(this.#settings, this.#clock, () => (mine() ? this.#begin() : NOBODY)));
    return component;
  }

  #begin(): Thread {
    const heard = (topic: string, text: string): void => {
      const texts = this.#stored.get(topic) ?? [];
      this.#stored.set(topic, texts);
      texts.push(text);
    };
    this.#thread = new HeldThread(this.#startMachine(this.#settings), heard, (file) => {
      this.#settings = { ...this.#settings, file };
    });
    return this.#thread;
  }
}

const NOBODY: Thread = {
  postMessage: () => undefined,
  on: () => undefined,
  terminate: () => Promise.resolve(),
};
