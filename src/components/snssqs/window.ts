/** How much may be lent, how much is, and how much is on its way to us. */
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

  /** Nothing may be lent for now. */
  get closed(): boolean {
    return this.#messages <= 0 || this.#bytes <= 0;
  }

  /** Whether one more of this size may be lent. A single message may overshoot the bytes, or it could never be lent. */
  admits(size: number): boolean {
    if (this.#messages <= this.#lentMessages || this.#bytes <= 0) return false;
    return this.#lentMessages === 0 || this.#lentBytes + size <= this.#bytes;
  }

  /** How many messages to ask for, at most `most`, beside those that were asked for already. */
  room(most: number): number {
    const messages = this.#messages - this.#lentMessages - this.#asked;
    const bytes = this.#bytes - this.#lentBytes - this.#asked * this.#meanSize;
    if (messages <= 0 || (bytes <= 0 && this.#lentMessages + this.#asked > 0)) return 0;
    return Math.max(1, Math.min(most, messages, Math.floor(bytes / this.#meanSize)));
  }

  ask(count: number): void {
    this.#asked += count;
  }

  /** So many were asked for, and the answer is there. */
  answered(count: number): void {
    this.#asked -= count;
  }

  seen(size: number): void {
    this.#meanSize += (Math.max(size, 1) - this.#meanSize) / 16;
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
