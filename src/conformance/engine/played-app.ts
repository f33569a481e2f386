import type { AppChannel, AppEvent, AppSubscription, Verdict, VerdictReceiver } from "../../app/channel.ts";
import { Arrivals } from "../arrivals.ts";

/** One call to the app. */
export interface Call {
  readonly event: AppEvent;
  /** The event's bytes, read as text. */
  readonly text: string;
  /** The first answer counts. */
  answer(verdict: Verdict): void;
}

/** An app that the behaviour plays: it answers each call, goes away and comes back. */
export class PlayedApp implements AppChannel {
  reachable = true;
  /** What it answers when it is asked. */
  wanted: readonly AppSubscription[];
  readonly #listeners = new Set<(reachable: boolean) => void>();
  readonly #arrivals: Arrivals<Call>;

  constructor(wanted: readonly AppSubscription[], patienceMs: number) {
    this.#arrivals = new Arrivals(({ text }) => text, patienceMs);
    this.wanted = wanted;
  }

  /** Every call there was. */
  get calls(): readonly Call[] {
    return this.#arrivals.all;
  }

  next(count: number): Promise<readonly Call[]> {
    return this.#arrivals.next(count);
  }

  async one(): Promise<Call> {
    const [call] = await this.next(1);
    if (!call) throw new Error("no call");
    return call;
  }

  go(): void {
    this.#turn(false);
  }

  comeBack(): void {
    this.#turn(true);
  }

  deliver(event: AppEvent, receiver: VerdictReceiver): () => void {
    let open = true;
    const answer = (verdict: Verdict) => {
      if (open) receiver.verdict(verdict);
      open = false;
    };
    this.#arrivals.add({ event, text: Buffer.from(event.data).toString(), answer });
    return () => {
      open = false;
    };
  }

  subscriptions(): Promise<readonly AppSubscription[]> {
    return Promise.resolve(this.wanted);
  }

  get awayBecause(): string | undefined {
    return this.reachable ? undefined : "the app cannot be reached";
  }

  onReachable(fn: (reachable: boolean) => void): () => void {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }

  close(): void {
    this.#listeners.clear();
  }

  #turn(reachable: boolean): void {
    this.reachable = reachable;
    for (const listener of this.#listeners) listener(reachable);
  }
}
