import type { Waiting } from "./waiting.ts";

/**
 * The publishes of one topic, in order. A lane has at most one batch under way, so that nothing overtakes a message that is tried again,
 * and a topic that fails holds back no other.
 */
export class Lane {
  readonly topic: string;
  failuresInARow = 0;
  /** Waits after a failure; its messages are not taken meanwhile. */
  paused = false;
  #ready: Waiting[] = [];
  #underWay: Waiting[] = [];
  #left = 0;
  readonly #again = new Set<Waiting>();

  constructor(topic: string) {
    this.topic = topic;
  }

  get takeable(): boolean {
    return !this.paused && this.#left === 0 && this.#ready.length > 0;
  }

  get empty(): boolean {
    return this.#left === 0 && this.#ready.length === 0 && !this.paused;
  }

  add(waiting: Waiting): void {
    this.#ready.push(waiting);
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
    this.#underWay = this.#ready.splice(0, taken);
    this.#left = taken;
    return bytes;
  }

  /** One message of the batch under way is settled. Of a batch that `failed`, what is to be tried again leads the lane, in its order. */
  settle(waiting: Waiting, tryAgain: boolean): "under way" | "done" | "failed" {
    this.#left -= 1;
    if (tryAgain) this.#again.add(waiting);
    if (this.#left > 0) return "under way";
    const failed = this.#again.size > 0;
    if (failed) this.#ready = [...this.#underWay.filter((one) => this.#again.has(one)), ...this.#ready];
    this.#again.clear();
    this.#underWay = [];
    return failed ? "failed" : "done";
  }

  /** Takes out what has waited too long to be sent; of the batch under way it only tells, since the broker still has to answer. */
  expire(now: number, expired: (waiting: Waiting, underWay: boolean) => void): void {
    if (this.#ready.some((waiting) => waiting.sendBy <= now)) {
      const late = this.#ready.filter((waiting) => waiting.sendBy <= now);
      this.#ready = this.#ready.filter((waiting) => waiting.sendBy > now);
      for (const waiting of late) expired(waiting, false);
    }
    for (const waiting of this.#underWay) if (waiting.deadline <= now && !waiting.answered) expired(waiting, true);
  }
}
