import { brokerOf } from "./handle.ts";
import type { Lease } from "./lease.ts";
import type { Received } from "./message.ts";

/** A queue's name: of its broker, and its number there. `broker`: the one that was asked. */
export const queueOf = (broker: string, { queue, handle }: Received): string => `${brokerOf(handle) ?? broker}/${queue}`;

/** `done`: the app has done it, and the broker is to hear of that. `acked`: it is told. `back`: given back or lost, it is to come again. */
type State = "open" | "done" | "acked" | "back";

interface Known {
  state: State;
  /** Of one that is done and waits for those before it. */
  lease?: Lease | undefined;
}

interface Queue {
  /** In the queue's order: the newest batch, and behind it what came before and is not past. */
  readonly known: Map<string, Known>;
  readonly newest: Set<string>;
}

/** What becomes of a lease. */
export interface Settler {
  /** It goes to the broker as its state says. */
  settle(lease: Lease): void;
  /** The app has done it; the broker is beyond it, or gives it again. */
  past(lease: Lease): void;
}

/**
 * What an ordered group has lent of each queue. RocketMQ gives no more of a queue before all of that is settled, and then goes on after the first
 * message that was not acknowledged: those behind it come again, also when the app has done them. Here it is known that it has.
 *
 * A broker that has forgotten what it lent (a slave that was promoted, a crash soon after) goes on behind whatever is acknowledged, and skips what
 * stands before: so acknowledgements go in the order of the queue. What is done behind a message that is not waits; when that goes back, so does it.
 */
export class Batches {
  readonly #settler: Settler;
  readonly #queues = new Map<string, Queue>();

  constructor(settler: Settler) {
    this.#settler = settler;
  }

  /** Messages were received. The broker is past all that stood before them; where nothing of what a queue was comes again, past all of it. */
  received(broker: string, messages: readonly Received[]): void {
    for (const [queue, batch] of Map.groupBy(messages, (message) => queueOf(broker, message))) this.#begin(queue, batch);
  }

  #begin(queue: string, batch: readonly Received[]): void {
    const before = this.#queues.get(queue)?.known ?? new Map<string, Known>();
    const known = new Map<string, Known>();
    for (const { identity } of batch) {
      const { state, lease } = before.get(identity) ?? { state: "open" };
      known.set(identity, { state: state === "done" || state === "acked" ? "done" : "open", lease });
    }
    const newest = new Set(known.keys());
    let past = true;
    for (const [identity, one] of before) {
      const again = known.has(identity);
      past &&= !again;
      if (past && one.lease) this.#settler.past(one.lease);
      if (!past && !again) known.set(identity, one);
    }
    this.#queues.set(queue, { known, newest });
    this.#settle({ known });
  }

  /** It is with us as a message of another queue: some programs send one twice. */
  elsewhere(queue: string, identity: string): void {
    const one = this.#queues.get(queue);
    if (!one) return;
    one.known.delete(identity);
    one.newest.delete(identity);
    this.#settle(one);
  }

  /** Whether the app has done this one of the messages that were received. */
  isDone(queue: string, identity: string): boolean {
    return this.#queues.get(queue)?.known.get(identity)?.state === "done";
  }

  /** The app has done it. */
  acked(lease: Lease): void {
    const queue = this.#queues.get(lease.queue);
    const one = queue?.known.get(lease.identity);
    if (!queue || !one) {
      this.#settler.past(lease);
      return;
    }
    lease.state = "waiting";
    one.state = "done";
    one.lease = lease;
    this.#settle(queue);
    this.#forget(lease.queue, queue);
  }

  /** Given back, or lost: it is to come again. */
  back(lease: Lease): void {
    const queue = this.#queues.get(lease.queue);
    const one = queue?.known.get(lease.identity);
    if (!queue || !one) return;
    one.state = "back";
    this.#settle(queue);
  }

  /** What waits for nothing any more goes. */
  #settle({ known }: Pick<Queue, "known">): void {
    let before: State = "acked";
    for (const one of known.values()) {
      if (one.state === "back" || (one.state === "open" && before === "acked")) before = one.state;
      const { lease } = one;
      if (!lease || before === "open") continue;
      one.lease = undefined;
      // Its lease has ended: it comes again.
      if (lease.state !== "waiting") continue;
      // The broker gives nothing of the queue while it hides one that is not acknowledged.
      lease.state = before === "back" ? "returned" : "acked";
      if (lease.state === "acked") one.state = "acked";
      this.#settler.settle(lease);
    }
  }

  /** Once all that was given together is done nobody needs to know of it. What came before and is to come again is known until it does. */
  #forget(name: string, { known, newest }: Queue): void {
    for (const identity of newest) if (known.get(identity)?.state !== "acked") return;
    for (const identity of newest) known.delete(identity);
    newest.clear();
    for (const { state } of known.values()) if (state !== "acked") return;
    this.#queues.delete(name);
  }
}
