import type { Clock } from "../../pubsub/clock.ts";

/** Something that is done again and again, never twice at a time. */
export class Rounds {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #work: () => Promise<void>;
  #running = false;
  #quiet: Promise<void> = Promise.resolve();
  #again = false;
  #stopped = false;
  #cancel: () => void = () => undefined;

  /** `work` must not reject. It is first done when `soon` says so, then `everyMs` after it was done. */
  constructor(clock: Clock, everyMs: number, work: () => Promise<void>) {
    this.#clock = clock;
    this.#everyMs = everyMs;
    this.#work = work;
  }

  /** Resolves when what is being done is done. */
  get quiet(): Promise<void> {
    return this.#quiet;
  }

  /** The next one now, or as soon as the one under way has ended. */
  soon(): void {
    this.#again = true;
    if (!this.#running) this.#in(0);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #in(ms: number): void {
    this.#cancel();
    if (!this.#stopped) this.#cancel = this.#clock.after(ms, () => this.#run());
  }

  #run(): void {
    this.#again = false;
    this.#running = true;
    this.#quiet = this.#work().finally(() => {
      this.#running = false;
      this.#in(this.#again ? 0 : this.#everyMs);
    });
  }
}
