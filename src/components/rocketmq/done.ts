import { FreshMap } from "../../pubsub/fresh-map.ts";

const MOST = 10_000;

/**
 * Messages that the app has done and the broker may give again: their acknowledgement came too late or got lost, or, in an ordered group, stood
 * behind a message that was given back, and RocketMQ goes back to that one. They are acknowledged, not lent.
 */
export class Done {
  readonly #positions = new FreshMap<string, true>();

  add(position: string): void {
    this.#positions.set(position, true);
    if (this.#positions.size <= MOST) return;
    const [oldest] = this.#positions.keys();
    if (oldest !== undefined) this.#positions.delete(oldest);
  }

  has(position: string): boolean {
    return this.#positions.has(position);
  }

  delete(position: string): void {
    this.#positions.delete(position);
  }
}
