import type { AppCalls, AppEvent, VerdictReceiver } from "../app/channel.ts";

/** What the app says of a topic: that it wants it, that it does not, or nothing yet since it came back. */
export type Listing = "listed" | "unlisted" | "unsaid";

const WHY = {
  unlisted: "the app no longer says that it subscribes to it",
  unsaid: "the app has not said yet what it subscribes to",
} as const;

/**
 * The app, as a subscription sees it that the app asked for: it is called while the app wants the topic (D10). One that came back may be a new
 * version without a handler for it, which drops what it does not know.
 */
export class ListedChannel implements AppCalls {
  readonly #channel: AppCalls;
  readonly #listeners = new Set<(reachable: boolean) => void>();
  #listing: Listing;
  #told: string | undefined;

  constructor(channel: AppCalls, listing: Listing) {
    this.#channel = channel;
    this.#listing = listing;
    this.#told = this.awayBecause;
  }

  get reachable(): boolean {
    return this.awayBecause === undefined;
  }

  get awayBecause(): string | undefined {
    return this.#channel.awayBecause ?? (this.#listing === "listed" ? undefined : WHY[this.#listing]);
  }

  get unwanted(): boolean {
    return this.#listing === "unlisted" && this.#channel.reachable;
  }

  onReachable(fn: (reachable: boolean) => void): () => void {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }

  deliver(event: AppEvent, receiver: VerdictReceiver, timeoutMs: number): () => void {
    return this.#channel.deliver(event, receiver, timeoutMs);
  }

  /** The app came, went, or said what it wants. */
  turn(listing: Listing): void {
    this.#listing = listing;
    const because = this.awayBecause;
    if (because === this.#told) return;
    this.#told = because;
    for (const listener of this.#listeners) listener(because === undefined);
  }
}
