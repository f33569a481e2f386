export type Arrival<Section> = { readonly section: Section; readonly ended: boolean } | { readonly data: Buffer; readonly ended: boolean };

/** What arrived for a stream while it was paused, in its order. */
export class Inbox<Section> {
  readonly #arrivals: (Arrival<Section> | undefined)[] = [];
  #first = 0;

  push(arrival: Arrival<Section>): void {
    this.#arrivals.push(arrival);
  }

  /** The first one; undefined: there is none. */
  take(): Arrival<Section> | undefined {
    const arrival = this.#arrivals[this.#first];
    if (arrival === undefined) return undefined;
    this.#arrivals[this.#first] = undefined;
    this.#first += 1;
    // Not at each turn: to move the rest costs as much as there is of it.
    if (2 * this.#first >= this.#arrivals.length) {
      this.#arrivals.splice(0, this.#first);
      this.#first = 0;
    }
    return arrival;
  }

  /** It is the first one again. */
  putBack(arrival: Arrival<Section>): void {
    if (this.#first === 0) this.#arrivals.unshift(arrival);
    else {
      this.#first -= 1;
      this.#arrivals[this.#first] = arrival;
    }
  }
}
