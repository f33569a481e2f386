import { randomUUID } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ClientStream } from "layotto-transport";
import type { PubSubError } from "../../pubsub/error.ts";
import { durationOf } from "./durations.ts";
import { callError, failureOf, isNothing } from "./errors.ts";
import { Code } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import { MessagingService, ReceiveMessageRequestSchema, ReceiveMessageResponseSchema } from "./gen/apache/rocketmq/v2/service_pb.ts";
import type { Member } from "./member.ts";
import { fromMessage, type Received } from "./message.ts";

/** The most that a broker gives at once. */
export const MOST_AT_ONCE = 32;
const AGAIN_MS = 1_000;
const DOING = "ReceiveMessage";

/** Of a request for messages: when it was sent, and through the proxy at which place. */
export interface Asked {
  readonly at: number;
  readonly through: string;
}

/** What a poll is for. */
export interface Poller {
  /** How many messages are worth asking for now. */
  readonly room: number;
  /** `whole`: the answer came to its end; else the same attempt is asked for once more. */
  received(broker: string, messages: readonly Received[], asked: Asked, whole: boolean): void;
  /** The broker answered, be it that there is nothing. */
  answered(broker: string): void;
  /** So many times in a row, this one included. It asks again. */
  failed(broker: string, error: PubSubError, times: number): void;
}

/** Asks one broker for messages, again and again, for as long as there is room. What it asks for waits at the broker until there is something. */
export class Poll {
  readonly #member: Member;
  readonly #broker: string;
  readonly #poller: Poller;
  #stream: ClientStream | undefined;
  #cancelAgain: () => void = () => undefined;
  #waiting = false;
  #failures = 0;
  /** The same when the answer was lost, or is an error of which nobody knows how far it came: an ordered group then gives the same messages once more, at once. */
  #attempt = randomUUID();
  /** In an ordered group an answer that breaks off is asked for again, with so many: else a link that is too slow for it would never bring it. */
  #most = MOST_AT_ONCE;

  constructor(member: Member, broker: string, poller: Poller) {
    this.#member = member;
    this.#broker = broker;
    this.#poller = poller;
  }

  /** There may be room, or a connection. */
  again(): void {
    if (this.#stream || this.#waiting) return;
    const room = this.#poller.room;
    if (room > 0 && this.#member.proxies.up) this.#ask(room);
  }

  stop(): void {
    this.#cancelAgain();
    this.#waiting = false;
    this.#failures = 0;
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.cancel();
  }

  #ask(room: number): void {
    const { topic, group, clientId, ordered, filter, options, proxies, clock } = this.#member;
    const space = { resourceNamespace: options.nameSpace };
    const batchSize = Math.min(room, this.#most);
    const request = create(ReceiveMessageRequestSchema, {
      group: { ...space, name: group },
      messageQueue: { topic: { ...space, name: topic }, id: -1, broker: { name: this.#broker } },
      filterExpression: filter,
      batchSize,
      invisibleDuration: durationOf(options.lease),
      longPollingTimeout: durationOf(options.pollTimeout),
      attemptId: this.#attempt,
    });
    const asked = { at: clock.elapsed(), through: proxies.place };
    const messages: Received[] = [];
    let refused: PubSubError | undefined;
    const over = (error?: PubSubError): void => {
      const failure = error ?? refused;
      if (!failure) {
        this.#attempt = randomUUID();
        this.#most = MOST_AT_ONCE;
      } else if (ordered) this.#most = Math.max(1, messages.length || Math.floor(batchSize / 2));
      if (messages.length > 0) this.#poller.received(this.#broker, messages, asked, !failure);
      // A stream that was stopped has nobody to go on for; what it brought is ours all the same.
      if (this.#stream !== stream) return;
      this.#stream = undefined;
      if (failure) {
        this.#later(failure);
        return;
      }
      this.#failures = 0;
      this.#poller.answered(this.#broker);
      this.again();
    };
    const stream = proxies.stream(
      MessagingService.method.receiveMessage,
      clientId,
      {
        message: (bytes) => {
          const { content } = fromBinary(ReceiveMessageResponseSchema, bytes);
          if (content.case === "message") messages.push(fromMessage(content.value));
          else if (content.case === "status" && content.value.code !== Code.OK) {
            const failure = failureOf(DOING, content.value);
            if (!isNothing(failure)) refused = failure;
          }
        },
        ended: () => over(),
        failed: (error) => over(callError(DOING, error)),
      },
      options.pollTimeout + options.requestTimeout,
    );
    this.#stream = stream;
    stream.send(toBinary(ReceiveMessageRequestSchema, request));
    stream.end();
  }

  #later(error: PubSubError): void {
    this.#waiting = true;
    this.#failures += 1;
    this.#cancelAgain = this.#member.clock.after(AGAIN_MS, () => {
      this.#waiting = false;
      this.again();
    });
    this.#poller.failed(this.#broker, error, this.#failures);
  }
}
