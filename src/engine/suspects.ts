import type { Flight } from "./flight.ts";
import type { Lent } from "./lent.ts";

/** Deaths of the app with the same message alone in flight that make one failure. */
export const MOST_DEATHS = 3;
/** Given back to the broker, they may come again: their names are kept, of the last so many. */
const REMEMBERED = 1_000;

/** The messages of one subscription that were with the app when it was lost (D4). */
export class Suspects {
  readonly #flight: Flight;
  #waiting: Lent[] = [];
  /** By position, of those that are not cleared. */
  readonly #deaths = new Map<string, number>();

  constructor(flight: Flight) {
    this.#flight = flight;
  }

  /** What was just lent: whether it is a suspect that was given back before. Then it waits here. */
  recognized({ delivery: { position } }: Lent): number | undefined {
    return this.#deaths.size === 0 || position === undefined ? undefined : this.#deaths.get(position);
  }

  /** It waits here for its turn. */
  add(lent: Lent): void {
    if (!lent.suspect) this.#flight.suspected();
    lent.suspect = true;
    lent.state = "waiting";
    this.#waiting.push(lent);
    this.#remember(lent);
  }

  /** The next to be called, if its turn has come: nothing else is with the app. */
  next(): Lent | undefined {
    if (!this.#flight.empty) return undefined;
    for (;;) {
      const lent = this.#waiting.shift();
      if (!lent || (lent.suspect && lent.state === "waiting")) return lent;
    }
  }

  /** The app gave a verdict: it did not die of it. */
  clear(lent: Lent): void {
    if (!lent.suspect) return;
    if (lent.delivery.position !== undefined) this.#deaths.delete(lent.delivery.position);
    this.leave(lent);
  }

  /** It is no longer ours. If it comes again, it is recognized. */
  leave(lent: Lent): void {
    if (!lent.suspect) return;
    lent.suspect = false;
    this.#flight.cleared();
  }

  #remember({ delivery: { position }, deaths }: Lent): void {
    if (position === undefined) return;
    this.#deaths.delete(position);
    this.#deaths.set(position, deaths);
    const [oldest] = this.#deaths.keys();
    if (this.#deaths.size > REMEMBERED && oldest !== undefined) this.#deaths.delete(oldest);
  }
}
