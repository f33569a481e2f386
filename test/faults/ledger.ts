/** How the app ended with a delivery. `failed`: it did not do its work, whatever it answered. Absent: it had not ended yet. */
export type Result = "succeeded" | "failed";

/** One call of the app with a message. */
export interface Delivery {
  readonly number: number;
  /** Undefined: in no order. */
  readonly key: string | undefined;
  /** Which of the sidecars called, by its place. */
  readonly replica: number;
  /** Milliseconds, on the clock of the wall. */
  readonly at: number;
  result?: Result;
}

/** What was promised and what came of it: every acknowledged publish by its number, every delivery in the order of the calls. */
export class Ledger {
  readonly #acknowledged = new Map<number, string | undefined>();
  readonly deliveries: Delivery[] = [];
  /** Numbers that came as dead letters: one for each copy. */
  readonly deadLetters: number[] = [];
  readonly #copies = new Set<string>();
  readonly #dead = new Set<number>();
  readonly #succeeded = new Set<number>();
  /** Nobody owes them any more, though they were acknowledged. */
  readonly #forgiven = new Set<number>();
  /** Acknowledged, and not arrived. Kept as it changes: it is asked for often, and of a million. */
  readonly #missing = new Set<number>();
  /** When each number was given out, in milliseconds on the clock of the wall. */
  readonly #since: number[] = [0];

  /** Numbers the next publish. */
  next(): number {
    return this.#since.push(Date.now()) - 1;
  }

  /** A publish was answered, maybe after its delivery. */
  acknowledge(number: number, key: string | undefined): void {
    this.#acknowledged.set(number, key);
    if (!this.#succeeded.has(number) && !this.#dead.has(number) && !this.#forgiven.has(number)) this.#missing.add(number);
  }

  /** By number: the key. */
  get acknowledged(): ReadonlyMap<number, string | undefined> {
    return this.#acknowledged;
  }

  delivered(delivery: Delivery): void {
    this.deliveries.push(delivery);
  }

  ended(delivery: Delivery, result: Result): void {
    delivery.result = result;
    if (result !== "succeeded") return;
    this.#succeeded.add(delivery.number);
    this.#missing.delete(delivery.number);
  }

  /** A dead letter came. After a crash one may come again, as any message may: that is the same copy, and tells the same time of its last failure. */
  deadLettered(number: number, failedAt: string): void {
    const copy = `${number} ${failedAt}`;
    if (this.#copies.has(copy)) return;
    this.#copies.add(copy);
    this.deadLetters.push(number);
    this.#dead.add(number);
    this.#missing.delete(number);
  }

  /** The broker itself lost these, or was told to let them expire. Default: all that was published until now. */
  forgive(numbers: Iterable<number> = this.#since.keys()): void {
    for (const number of numbers) {
      this.#forgiven.add(number);
      this.#missing.delete(number);
    }
  }

  /** From the publish of each of these deliveries to its call, in milliseconds, sorted. */
  latencies(deliveries: readonly Delivery[]): readonly number[] {
    return deliveries.map(({ number, at }) => at - (this.#since[number] ?? at)).sort((a, b) => a - b);
  }

  /** About how many are on their way. */
  get owed(): number {
    return this.#acknowledged.size - this.#succeeded.size;
  }

  /** The acknowledged that did not arrive. */
  get missing(): readonly number[] {
    return [...this.#missing];
  }
}
