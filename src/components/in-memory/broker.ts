import type { Clock } from "../../pubsub/clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import { type Entry, TopicLog } from "./topic-log.ts";

/** All topics, within a bound of bytes. */
export class Broker {
  readonly topics = new Map<string, TopicLog>();
  readonly #clock: Clock;
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(clock: Clock, maxBytes: number) {
    this.#clock = clock;
    this.#maxBytes = maxBytes;
  }

  topic(name: string): TopicLog {
    let log = this.topics.get(name);
    if (!log) {
      log = new TopicLog(name, this.#clock, (bytes) => {
        this.#bytes -= bytes;
      });
      this.topics.set(name, log);
    }
    return log;
  }

  store(message: Outgoing): Entry | PubSubError {
    let size = message.data.length;
    for (const [name, value] of Object.entries(message.attributes)) size += name.length + value.length;
    if (this.#bytes + size > this.#maxBytes) {
      return new PubSubError("resource_exhausted", `the broker in memory is full: it keeps at most ${this.#maxBytes} bytes`);
    }
    this.#bytes += size;
    return this.topic(message.topic).append(message, size);
  }
}
