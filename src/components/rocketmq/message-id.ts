import { randomBytes } from "node:crypto";

/** Where the clients of RocketMQ 5 begin to count the seconds. */
const EPOCH_MS = Date.UTC(2021, 0, 1);
const SEQUENCES = 2 ** 32;

/** The ids of one client's messages, as RocketMQ's own clients write them; what they take from the machine and the process is chance here. */
export class MessageIds {
  readonly #prefix = `01${randomBytes(8).toString("hex").toUpperCase()}`;
  #sequence = randomBytes(4).readUInt32BE();

  next(now: number): string {
    this.#sequence = (this.#sequence + 1) % SEQUENCES;
    return this.#prefix + hex(Math.floor((now - EPOCH_MS) / 1_000)) + hex(this.#sequence);
  }
}

const hex = (value: number): string => (value >>> 0).toString(16).toUpperCase().padStart(8, "0");
