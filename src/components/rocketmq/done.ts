import { FreshMap } from "../../pubsub/fresh-map.ts";

const MOST = 10_000;

/**
 * Messages that the app has done and the broker may give again: their acknowledgement came too late or got lost, or, in an ordered group, stood
 * behind a message that was given back, and RocketMQ goes back to that one. They are acknowledged, not lent.
 */
export class Done {
  readonly #identities = new FreshMap<string, true>();

  add(identity: string): void {
    this.#identities.set(identity, true);
    if (this.#identities.size <= MOST) return;
    const [oldest] = this.#identities.keys();
    if (oldest !== undefined) this.#identities.delete(oldest);
  }

  has(identity: string): boolean {
    return this.#identities.has(identity);
  }

  delete(identity: string): void {
    this.#identities.delete(identity);
  }
}
