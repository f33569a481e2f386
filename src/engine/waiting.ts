import type { PubSubError } from "../pubsub/error.ts";
import type { Outgoing } from "../pubsub/outgoing.ts";
import type { Call } from "./call.ts";

/** What a publisher hands in. */
export interface Message {
  readonly topic: string;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key?: string | undefined;
  readonly expiresAt?: number | undefined;
  readonly dedupId?: string | undefined;
}

/** Gets the outcome of one publish: called once, with no error when the broker has the message. */
export interface PublishReceiver {
  published(error?: PubSubError): void;
}

/** Roughly what a message costs beside its bytes. */
const OVERHEAD_BYTES = 512;

/** A publish that waits for the broker. */
export class Waiting implements Outgoing {
  readonly topic: string;
  readonly data: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly expiresAt?: number;
  readonly dedupId?: string;
  readonly size: number;
  /** On the clock's monotonic scale. */
  readonly deadline: number;
  /** From then on it is not handed to the broker any more. */
  readonly sendBy: number;
  /** In its lane: those before it came sooner. */
  place = 0;
  /** The broker's, that it is part of at the moment. */
  call: Call | undefined;
  lastError: PubSubError | undefined;
  failures = 0;
  answered = false;
  readonly #receiver: PublishReceiver;
  readonly #settled: (waiting: Waiting, error?: PubSubError) => void;

  constructor(
    message: Message,
    deadline: number,
    receiver: PublishReceiver,
    settled: (waiting: Waiting, error?: PubSubError) => void,
    sendBy = deadline,
  ) {
    this.topic = message.topic;
    this.data = message.data;
    this.attributes = message.attributes;
    if (message.key !== undefined) this.key = message.key;
    if (message.expiresAt !== undefined) this.expiresAt = message.expiresAt;
    if (message.dedupId !== undefined) this.dedupId = message.dedupId;
    this.size = sizeOf(message);
    this.deadline = deadline;
    this.sendBy = sendBy;
    this.#receiver = receiver;
    this.#settled = settled;
  }

  done(error?: PubSubError): void {
    this.#settled(this, error);
  }

  answer(error?: PubSubError): void {
    if (this.answered) return;
    this.answered = true;
    this.#receiver.published(error);
  }
}

/** Bytes of data and attributes, and what the bookkeeping costs. */
function sizeOf(message: Pick<Message, "data" | "attributes">): number {
  let size = message.data.length + OVERHEAD_BYTES;
  for (const name in message.attributes) size += name.length + (message.attributes[name]?.length ?? 0);
  return size;
}
