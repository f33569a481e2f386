import type { PubSubError } from "../pubsub/error.ts";

/** Cut off sooner than this, a call says nothing of the broker: its publishers had no patience. */
const SOON_MS = 100;

/** One call of the broker with a batch. */
export class Call {
  readonly controller = new AbortController();
  readonly startedAt: number;
  /** Messages that are not settled. */
  left: number;
  stored = false;
  /** The last that may pass: what is refused for good says nothing against the broker. */
  error: PubSubError | undefined;
  cancel: () => void = () => undefined;

  constructor(startedAt: number, messages: number) {
    this.startedAt = startedAt;
    this.left = messages;
  }

  /** Undefined: it succeeded. */
  get failure(): PubSubError | undefined {
    return this.stored ? undefined : this.error;
  }

  cutOffSoon(now: number): boolean {
    return !this.stored && this.controller.signal.aborted && now - this.startedAt < SOON_MS;
  }
}
