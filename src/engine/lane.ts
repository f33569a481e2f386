import type { Waiting } from "./waiting.ts";

/** Messages that went to the broker together. */
interface Batch {
  readonly messages: readonly Waiting[];
  left: number;
  /** What is to be tried again, once all are settled. */
  again: Set<Waiting> | undefined;
  /** Set aside: the keys of what was not done with by then. */
  keys: ReadonlySet<string | undefined> | undefined;
}

/**
 * The publishes of one topic, in order. A lane has at most one batch under way, so that nothing overtakes a message that is tried again,
 * and a topic that fails holds back no other. One that is late can be set aside: then it holds back its own keys alone.
 */
export class Lane {
  readonly topic: string;
  failuresInARow = 0;
  /** Waits after a failure; its messages are not taken meanwhile. */
  paused = false;
  #added = 0;
  #ready: Waiting[] = [];
  #batch: Batch | undefined;
  /** What is under way and was set aside. */
  readonly #late = new Map<Waiting, Batch>();
  /** Keys of which something was set aside; undefined: of messages without one. */
  readonly #held = new Set<string | undefined>();
  /** Waits for that. */
  #behind: Waiting[] = [];

  constructor(topic: string) {
    this.topic = topic;
  }

  get takeable(): boolean {
    return !this.paused && this.#batch === undefined && this.#ready.length > 0;
  }

  get empty(): boolean {
    return this.#batch === undefined && this.#ready.length === 0 && !this.paused && this.#late.size === 0 && this.#behind.length === 0;
  }

  add(waiting: Waiting): void {
    waiting.place = this.#added++;
    (this.#held.size > 0 && this.#held.has(waiting.key) ? this.#behind : this.#ready).push(waiting);
  }

  /** Moves messages from the front into `batch`, within what is left of a call. Returns their bytes. At least one if the call is empty. */
  take(batch: Waiting[], mostMessages: number, mostBytes: number): number {
    let bytes = 0;
    let taken = 0;
    for (const waiting of this.#ready) {
      if (batch.length >= mostMessages || (batch.length > 0 && bytes + waiting.size > mostBytes)) break;
      batch.push(waiting);
      bytes += waiting.size;
      taken += 1;
    }
    if (taken > 0) this.#batch = { messages: this.#ready.splice(0, taken), left: taken, again: undefined, keys: undefined };
    return bytes;
  }

  /** One message under way is settled. Of a batch that `failed`, what is to be tried again leads the lane, in its order. */
  settle(waiting: Waiting, tryAgain: boolean): "under way" | "done" | "failed" {
    const batch = (this.#late.get(waiting) ?? this.#batch) as Batch;
    this.#late.delete(waiting);
    batch.left -= 1;
    if (tryAgain) {
      batch.again ??= new Set();
      batch.again.add(waiting);
    }
    if (batch.left > 0) return "under way";
    if (batch === this.#batch) this.#batch = undefined;
    const { again } = batch;
    if (again)
      this.#ready = merged(
        batch.messages.filter((one) => again.has(one)),
        this.#ready,
      );
    if (batch.keys) this.#letGo(batch.keys);
    return again ? "failed" : "done";
  }

  /** The batch under way, if it went out by then, holds back from now on only what has a key of which it is not done with a message. */
  setAside(sentBy: number): void {
    const batch = this.#batch;
    const pending = batch?.messages.filter(({ call }) => call !== undefined) ?? [];
    if (!batch || !pending.some(({ call }) => (call?.startedAt ?? 0) <= sentBy)) return;
    this.#batch = undefined;
    for (const one of pending) this.#late.set(one, batch);
    batch.keys = new Set([...pending, ...(batch.again ?? [])].map(({ key }) => key));
    for (const key of batch.keys) this.#held.add(key);
    const [behind, ready] = parted(this.#ready, batch.keys);
    this.#ready = ready;
    this.#behind = merged(this.#behind, behind);
  }

  /** Takes out what has waited too long to be sent; of what is under way it only tells, since the broker still has to answer. */
  expire(now: number, expired: (waiting: Waiting, underWay: boolean) => void): void {
    const isLate = ({ sendBy }: Waiting) => sendBy <= now;
    const late = [...this.#ready.filter(isLate), ...this.#behind.filter(isLate)];
    if (late.length > 0) {
      this.#ready = this.#ready.filter((waiting) => !isLate(waiting));
      this.#behind = this.#behind.filter((waiting) => !isLate(waiting));
    }
    for (const waiting of late) expired(waiting, false);
    for (const { messages } of new Set([...(this.#batch ? [this.#batch] : []), ...this.#late.values()]))
      for (const waiting of messages) if (waiting.deadline <= now && !waiting.answered) expired(waiting, true);
  }

  #letGo(keys: ReadonlySet<string | undefined>): void {
    for (const key of keys) this.#held.delete(key);
    if (this.#behind.length === 0) return;
    const [free, behind] = parted(this.#behind, keys);
    this.#behind = behind;
    this.#ready = merged(free, this.#ready);
  }
}

/** Those with one of the keys, and the others. */
function parted(all: readonly Waiting[], keys: ReadonlySet<string | undefined>): readonly [having: Waiting[], others: Waiting[]] {
  const parts: readonly [Waiting[], Waiting[]] = [[], []];
  for (const waiting of all) parts[keys.has(waiting.key) ? 0 : 1].push(waiting);
  return parts;
}

/** In the order in which they came, as each of the two is. */
function merged(some: Waiting[], others: Waiting[]): Waiting[] {
  if (some.length === 0 || others.length === 0) return some.length === 0 ? others : some;
  const all: Waiting[] = [];
  let at = 0;
  for (const one of some) {
    while (at < others.length && (others[at] as Waiting).place < one.place) all.push(others[at++] as Waiting);
    all.push(one);
  }
  while (at < others.length) all.push(others[at++] as Waiting);
  return all;
}
