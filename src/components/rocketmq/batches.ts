import type { Lease } from "./lease.ts";
import type { Received } from "./message.ts";

/** A queue's name: of its broker, and its number there. */
export const queueOf = (broker: string, { queue }: Received): string => `${broker}/${queue}`;

type State = "open" | "acked" | "back";

/**
 * What an ordered group has lent of each queue. RocketMQ gives no more of a queue before all of that is settled, and then goes on after the first
 * message that was not acknowledged: those behind it come again, also when the app has done them. Here it is known that it has.
 */
export class Batches {
  readonly #queues = new Map<string, Map<string, State>>();

  /** Messages were received. Where nothing of what a queue was comes again, it is past all of it. */
  received(broker: string, messages: readonly Received[]): void {
    const again = new Map<string, boolean>();
    for (const message of messages) {
      const queue = queueOf(broker, message);
      again.set(queue, again.get(queue) === true || this.#queues.get(queue)?.has(message.identity) === true);
    }
    for (const [queue, known] of again) if (!known) this.#queues.delete(queue);
  }

  /** Whether the app has done this one. If not it is open from now on. */
  isDone(queue: string, identity: string): boolean {
    const states = this.#queues.get(queue) ?? new Map<string, State>();
    if (states.get(identity) === "acked") return true;
    this.#queues.set(queue, states.set(identity, "open"));
    return false;
  }

  acked({ queue, identity }: Lease): void {
    const states = this.#queues.get(queue);
    states?.set(identity, "acked");
    if (states && [...states.values()].every((state) => state === "acked")) this.#queues.delete(queue);
  }

  /** Given back, or lost: it is to come again. */
  back({ queue, identity }: Lease): void {
    this.#queues.get(queue)?.set(identity, "back");
  }
}
