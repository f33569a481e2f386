import type { Delivery } from "../pubsub/delivery.ts";
import { FreshMap } from "../pubsub/fresh-map.ts";
import { Lanes } from "./lanes.ts";
import type { Lent } from "./lent.ts";
import type { Window } from "./window.ts";

/** All that one subscription has from its broker at the moment, counted in its window, each in its lane. */
export class Loans {
  readonly #window: Window;
  readonly #lent = new FreshMap<Delivery, Lent>();
  readonly #lanes = new Lanes();
  /** Whose lease was lost while they run, by position: should they come again, they join their own call (D5). */
  readonly #leaseless = new Map<string, Lent>();

  constructor(window: Window) {
    this.#window = window;
  }

  get size(): number {
    return this.#lent.size;
  }

  /** False: its lease was lost, and its verdict goes nowhere. */
  has(lent: Lent): boolean {
    return this.#lent.has(lent.delivery);
  }

  of(delivery: Delivery): Lent | undefined {
    return this.#lent.get(delivery);
  }

  /** Whether a call with this very message still runs, for a lease that was lost: then its verdict settles the new one. */
  joins(delivery: Delivery): boolean {
    const position = this.#leaseless.size === 0 ? undefined : delivery.position;
    const known = position === undefined ? undefined : this.#leaseless.get(position);
    if (!known || position === undefined || !isSame(known.delivery, delivery)) return false;
    this.#leaseless.delete(position);
    known.delivery = delivery;
    this.#hold(known);
    return true;
  }

  /** False: it is behind another of its lane. */
  add(lent: Lent): boolean {
    this.#hold(lent);
    if (lent.lane === undefined || this.#lanes.enter(lent.lane, lent)) return true;
    lent.state = "behind";
    return false;
  }

  /** Its lease is gone. If its call runs, the verdict is waited for. */
  lose(lent: Lent): void {
    this.#drop(lent);
    const { position } = lent.delivery;
    if (lent.state === "running" && position !== undefined) this.#leaseless.set(position, lent);
  }

  /** It is settled, given back, or lost and done with. Returns whose turn it is now in its lane, if that changed. */
  remove(lent: Lent): Lent | undefined {
    this.#drop(lent);
    const position = this.#leaseless.size === 0 ? undefined : lent.delivery.position;
    if (position !== undefined && this.#leaseless.get(position) === lent) this.#leaseless.delete(position);
    return lent.lane === undefined ? undefined : this.#lanes.leave(lent.lane, lent);
  }

  /** What the app has. */
  get running(): readonly Lent[] {
    return [...this.#lent.values()].filter(({ state }) => state === "running");
  }

  /** What may be given back, last first: of one lane, or all. */
  idle(lane?: string): readonly Lent[] {
    const lent = lane === undefined ? [...this.#lent.values()] : this.#lanes.members(lane);
    return lent.filter((one) => !isOut(one)).reverse();
  }

  #hold(lent: Lent): void {
    this.#lent.set(lent.delivery, lent);
    this.#window.lent(lent.size);
  }

  #drop(lent: Lent): void {
    if (this.#lent.delete(lent.delivery)) this.#window.settled(lent.size);
  }
}

/** A position is given anew to another message where a broker lost what it had, or the topic was deleted and made anew. */
function isSame(known: Delivery, now: Delivery): boolean {
  return known.key === now.key && known.publishedAt === now.publishedAt && Buffer.compare(known.data, now.data) === 0;
}

/** With the app, or on its way to the dead-letter topic: not to be given back now. */
export function isOut({ state }: Lent): boolean {
  return state === "running" || state === "dead";
}
