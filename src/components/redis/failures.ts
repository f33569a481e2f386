import type { PubSubError } from "../../pubsub/error.ts";

/** What failures of its server mean to a reader: it asks for less, and from the second one on it tells why it gets nothing. */
export class Failures {
  readonly #limit: number;
  readonly #tell: (error: PubSubError | undefined) => void;
  #most: number;
  #inARow = 0;
  #calm = true;

  /** `limit`: the most messages of one read. `tell` gets the failure, or none when it is over. */
  constructor(limit: number, tell: (error: PubSubError | undefined) => void) {
    this.#limit = limit;
    this.#most = limit;
    this.#tell = tell;
  }

  /** Most messages of one read: fewer after each that ended with its connection, or a link that breaks early would never bring any. */
  get most(): number {
    return this.#most;
  }

  /** A read brought what it asked for. */
  grow(): void {
    this.#most = Math.min(this.#limit, 2 * this.#most);
  }

  shrink(): void {
    this.#most = Math.max(1, this.#most >> 1);
  }

  /** Once may be chance. */
  failed(error: PubSubError): void {
    this.#inARow += 1;
    this.#calm = false;
    if (this.#inARow > 1) this.#tell(error);
  }

  /** It is over when nothing has failed from one look to the next: a server may let us look and not read. */
  looked(): void {
    if (this.#calm) {
      if (this.#inARow > 1) this.#tell(undefined);
      this.#inARow = 0;
    }
    this.#calm = true;
  }
}
