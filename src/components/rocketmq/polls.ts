import { asPubSubError, type PubSubError } from "../../pubsub/error.ts";
import type { Member } from "./member.ts";
import type { Received } from "./message.ts";
import { type Asked, Poll, type Poller } from "./receive.ts";

/** Brokers come and go. */
const LOOK_MS = 30_000;

/** What they are for. */
export interface Receiver {
  /** How many messages are worth asking for now. */
  readonly room: number;
  /** As `Poller.received`. */
  received(broker: string, messages: readonly Received[], asked: Asked, whole: boolean): void;
  /** A broker gives nothing but errors; or none does any more. */
  troubled(error?: PubSubError): void;
  /** It is of no use to ask again. */
  refused(error: PubSubError): void;
}

/** Where they ask. */
export interface Places {
  /** Names of the brokers that have the topic's queues now. Rejects with a PubSubError. */
  brokers(): Promise<readonly string[]>;
  /** Makes the group where it is missing: a broker that is asked for a group that it does not know makes one with a limit. Rejects with a PubSubError. */
  ensure(): Promise<void>;
}

/** A poll at each broker that has queues of the topic. */
export class Polls implements Poller {
  readonly #member: Member;
  readonly #receiver: Receiver;
  readonly #places: Places;
  readonly #polls = new Map<string, Poll>();
  /** Brokers that give nothing but errors. */
  readonly #failing = new Set<string>();
  #cancelLook: () => void = () => undefined;
  #over = false;

  constructor(member: Member, receiver: Receiver, places: Places) {
    this.#member = member;
    this.#receiver = receiver;
    this.#places = places;
  }

  get room(): number {
    return this.#over ? 0 : this.#receiver.room;
  }

  open(brokers: readonly string[]): void {
    for (const broker of brokers) this.#read(broker);
    this.#lookLater();
  }

  /** There may be room, or a connection. */
  again(): void {
    for (const poll of this.#polls.values()) poll.again();
  }

  /** There is no connection. */
  stop(): void {
    this.#failing.clear();
    for (const poll of this.#polls.values()) poll.stop();
  }

  close(): void {
    this.#over = true;
    this.#cancelLook();
    this.stop();
  }

  received(broker: string, messages: readonly Received[], asked: Asked, whole: boolean): void {
    this.#receiver.received(broker, messages, asked, whole);
  }

  answered(broker: string): void {
    if (this.#failing.delete(broker) && this.#failing.size === 0) this.#receiver.troubled();
  }

  failed(broker: string, error: PubSubError, times: number): void {
    if (error.permanent) this.#receiver.refused(error);
    // Once may be chance.
    else if (times > 1) this.#fails(broker, error);
  }

  #read(broker: string): void {
    this.#polls.set(broker, new Poll(this.#member, broker, this));
  }

  #fails(broker: string, error: PubSubError): void {
    this.#failing.add(broker);
    this.#receiver.troubled(error);
  }

  async #look(): Promise<void> {
    const brokers = await this.#places.brokers();
    if (this.#over) return;
    this.#leave(brokers);
    const unknown = brokers.filter((broker) => !this.#polls.has(broker));
    const failure = unknown.length > 0 ? await this.#places.ensure().then(() => undefined, asPubSubError) : undefined;
    if (this.#over) return;
    for (const broker of unknown) {
      // Those that are known go on.
      if (failure) this.#fails(broker, failure);
      else this.#read(broker);
    }
    this.again();
  }

  /** Asks no others than these any more. */
  #leave(brokers: readonly string[]): void {
    for (const [broker, poll] of this.#polls) {
      if (brokers.includes(broker)) continue;
      poll.stop();
      this.#polls.delete(broker);
    }
    for (const broker of [...this.#failing]) if (!brokers.includes(broker)) this.answered(broker);
  }

  #lookLater(): void {
    this.#cancelLook = this.#member.clock.after(LOOK_MS, async () => {
      try {
        await this.#look();
      } catch (error) {
        // The next look tries again; what is known goes on.
        asPubSubError(error);
      }
      if (!this.#over) this.#lookLater();
    });
  }
}
