import type { Lease } from "./lease.ts";

type State = "open" | "acked" | "back";

/**
 * What an ordered group has lent of each queue. RocketMQ gives no more of a queue before all of that is settled, and then goes on after the first
 * message that was not acknowledged: those behind it come again, also when the app has done them. Here it is known that it has.
 */
export class Batches {
  readonly #queues = new Map<string, Map<string, State>>();

  /** Messages of one queue were received, in their order. */
  received(queue: string, positions: readonly string[]): void {
    const known = this.#queues.get(queue);
    // Nothing of what it was comes again: the queue is past all of it.
    if (known && !positions.some((position) => known.has(position))) this.#queues.delete(queue);
  }

  /** Whether the app has done this one. If not it is open from now on. */
  isDone(queue: string, position: string): boolean {
    const states = this.#queues.get(queue) ?? new Map<string, State>();
    if (states.get(position) === "acked") return true;
    this.#queues.set(queue, states.set(position, "open"));
    return false;
  }

  acked({ queue, position }: Lease): void {
    const states = this.#queues.get(queue);
    states?.set(position, "acked");
    if (states && [...states.values()].every((state) => state === "acked")) this.#queues.delete(queue);
  }

  /** Given back, or lost: it is to come again. */
  back({ queue, position }: Lease): void {
    this.#queues.get(queue)?.set(position, "back");
  }
}
