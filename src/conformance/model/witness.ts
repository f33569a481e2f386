import type { Verdict } from "../../app/channel.ts";
import { MOST_DEATHS } from "../../engine/suspects.ts";
import type { Call, PlayedApp } from "../engine/played-app.ts";
import { DEAD, type Stage, TOPIC } from "./stage.ts";

/** Who holds what: an app and its calls without an answer. */
export interface Holder {
  readonly app: PlayedApp;
  readonly open: readonly Call[];
}

/** What was promised, what was seen, and what of it should not be. */
export class Witness {
  /** What the publisher was told is stored. */
  readonly acknowledged = new Set<string>();
  readonly #stage: Stage;
  readonly #order: "none" | "key";
  readonly #settlesAtOnce: boolean;
  readonly #processed = new Set<string>();
  readonly #dropped = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #losses = new Map<string, number>();
  readonly #seen = new Set<Call>();
  readonly #stoodStill = new Set<PlayedApp>();
  readonly #leaseless = new Set<Call>();
  readonly #wrong = new Set<string>();
  #stored: readonly string[] = [];
  #deadLetters: readonly string[] = [];

  constructor(stage: Stage, order: "none" | "key", settlesAtOnce: boolean) {
    this.#stage = stage;
    this.#order = order;
    this.#settlesAtOnce = settlesAtOnce;
  }

  answered({ text }: Call, verdict: Verdict): void {
    if (verdict === "success") this.#processed.add(text);
    if (verdict === "drop") this.#dropped.add(text);
    if (verdict === "retry" || verdict === "failed") this.#failures.set(text, (this.#failures.get(text) ?? 0) + 1);
    if (verdict === "lost") this.#losses.set(text, (this.#losses.get(text) ?? 0) + 1);
  }

  /** The sidecar of this app stood still: it may hold what it has lost. */
  cannotKnow(app: PlayedApp): void {
    this.#stoodStill.add(app);
  }

  /** What runs now has lost its leases, through no fault of anybody. */
  leasesEnded(holders: readonly Holder[]): void {
    for (const call of holders.flatMap(({ open }) => open)) this.#leaseless.add(call);
  }

  /** Looks at the calls that began since the last look. */
  async look(holders: readonly Holder[]): Promise<void> {
    await this.#learn();
    this.#checkHolders(holders);
    for (const call of holders.flatMap(({ open }) => open)) {
      if (this.#seen.has(call)) continue;
      this.#seen.add(call);
      if (this.#order === "key") this.#checkOrder(call);
      if (this.#settlesAtOnce) this.#checkSettled(call);
    }
  }

  /** All that should not be, in words, once the world came to rest. Failures `enough` make a dead letter. */
  async faults(enough: number): Promise<readonly string[]> {
    await this.#learn();
    for (const name of new Set([...this.acknowledged, ...this.#stored])) if (!this.#isDone(name)) this.#wrong.add(`${name} was lost`);
    for (const name of this.#deadLetters) {
      const failures = (this.#failures.get(name) ?? 0) + Math.floor((this.#losses.get(name) ?? 0) / MOST_DEATHS);
      if (failures < enough && !this.#dropped.has(name)) this.#wrong.add(`${name} is a dead letter after ${failures} failures`);
    }
    if (this.#order === "key") this.#checkStored();
    return [...this.#wrong];
  }

  async #learn(): Promise<void> {
    this.#stored = await this.#stage.stored(TOPIC);
    this.#deadLetters = await this.#stage.stored(DEAD);
  }

  /** While leases are renewed in time, a message is with one app. A process that stood still cannot know better. */
  #checkHolders(holders: readonly Holder[]): void {
    const calls = holders.filter(({ app }) => !this.#stoodStill.has(app)).flatMap(({ open }) => open);
    const held = calls.filter((call) => !this.#leaseless.has(call)).map(({ text }) => text);
    for (const name of held) {
      if (this.#times(name) === 1 && held.indexOf(name) !== held.lastIndexOf(name)) this.#wrong.add(`${name} was with two apps at once`);
    }
  }

  /** All that stands before it, of its key, is done with. */
  #checkOrder({ text }: Call): void {
    const own = this.#stored.filter((name) => keyOf(name) === keyOf(text));
    for (const name of own.slice(0, own.indexOf(text))) {
      if (!this.#isDone(name)) this.#wrong.add(`${text} was called before ${name} was settled`);
    }
  }

  #checkSettled({ text }: Call): void {
    if (this.#isDone(text) && this.#times(text) === 1) this.#wrong.add(`${text} was called again after it was settled`);
  }

  /** What the app dropped is so only as a dead letter. */
  #isDone(name: string): boolean {
    return this.#processed.has(name) || this.#deadLetters.includes(name);
  }

  /** How often it was stored: a publish whose reply was lost is tried again. */
  #times(name: string): number {
    return this.#stored.filter((one) => one === name).length;
  }

  /** Messages of a key are stored as they were published, whatever was stored again later. */
  #checkStored(): void {
    const last = new Map<string, number>();
    for (const name of new Set(this.#stored)) {
      const number = Number(name.split(".")[2]);
      const before = last.get(keyOf(name)) ?? 0;
      if (before > number) this.#wrong.add(`${name} was stored behind ${keyOf(name)}.${before}`);
      last.set(keyOf(name), Math.max(before, number));
    }
  }
}

const keyOf = (name: string): string => name.split(".").slice(0, 2).join(".");
