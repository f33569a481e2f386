/** How much may be lent, and how much is. */
export class Window {
  #messages = 0;
  #bytes = 0;
  #lentMessages = 0;
  #lentBytes = 0;

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

  /** How many bytes may still be lent; 0 when there is no room for a message either. */
  get room(): number {
    return this.#messages <= this.#lentMessages ? 0 : Math.max(0, this.#bytes - this.#lentBytes);
  }

  /** Whether one more of this size may be lent. A single message may overshoot the bytes, or it could never be lent. */
  admits(size: number): boolean {
    if (this.#messages <= this.#lentMessages || this.#bytes <= 0) return false;
    return this.#lentMessages === 0 || this.#lentBytes + size <= this.#bytes;
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
