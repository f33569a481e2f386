/** What a reader may lend (`Subscription.window`), what it has lent, and what it has asked its broker for. */
export class Window {
  #messages = 0;
  #bytes = 0;
  #lentMessages = 0;
  #lentBytes = 0;
  #asked = 0;
  /** Running mean of the sizes seen. */
  #meanSize = 1_024;

  set(messages: number, bytes: number): void {
    this.#messages = messages;
    this.#bytes = bytes;
  }

  /** Most messages that may be lent. */
  get messages(): number {
    return this.#messages;
  }

  /** How many messages are lent. */
  get lent(): number {
    return this.#lentMessages;
  }

  /** Nothing may be lent for now. */
  get closed(): boolean {
    return this.#messages <= 0 || this.#bytes <= 0;
  }

  /** How many messages of the mean size it admits when nothing is lent. */
  get capacity(): number {
    return Math.max(1, Math.min(this.#messages, Math.floor(this.#bytes / this.#meanSize)));
  }

  /** How many bytes may still be lent; 0 when there is no room for a message either. */
  get bytes(): number {
    return this.#messages <= this.#lentMessages ? 0 : Math.max(0, this.#bytes - this.#lentBytes);
  }

  /** How many messages to ask for, at most `most`, beside those that were asked for already. */
  room(most: number): number {
    const messages = this.#messages - this.#lentMessages - this.#asked;
    const bytes = this.#bytes - this.#lentBytes - this.#asked * this.#meanSize;
    const nothingOut = this.#lentMessages + this.#asked === 0;
    if (this.closed || messages <= 0 || (bytes <= 0 && !nothingOut)) return 0;
    return Math.max(1, Math.min(most, messages, Math.floor(bytes / this.#meanSize)));
  }

  ask(messages: number): void {
    this.#asked += messages;
  }

  /** So many were asked for, and the answer is there. */
  answered(messages: number): void {
    this.#asked -= messages;
  }

  /** The size of a message that has come, for the mean by which bytes become messages. */
  seen(size: number): void {
    this.#meanSize += (Math.max(size, 1) - this.#meanSize) / 16;
  }

  /** Whether one more may be lent, whatever its size. */
  get open(): boolean {
    return this.bytes > 0;
  }

  lend(size: number): void {
    this.#lentMessages += 1;
    this.#lentBytes += size;
  }

  giveBack(size: number): void {
    this.#lentMessages -= 1;
    this.#lentBytes -= size;
  }
}
