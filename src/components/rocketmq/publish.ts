import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { abortError } from "../../pubsub/abort.ts";
import { behind } from "../../pubsub/behind.ts";
import type { Clock } from "../../pubsub/clock.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { RocketmqOptions } from "./config.ts";
import { failureOf, isOtherType, ProxyError } from "./errors.ts";
import { Code, MessageType } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import { MessagingService, SendMessageRequestSchema, SendMessageResponseSchema } from "./gen/apache/rocketmq/v2/service_pb.ts";
import { keyOf, sizeOf, toMessage } from "./message.ts";
import { MessageIds } from "./message-id.ts";
import type { Proxies } from "./proxies.ts";
import { noType, type Route, type Routes } from "./routes.ts";

const DOING = "SendMessage";
/** The broker stores a request as one, and takes four mebibytes. */
const REQUEST_BYTES = 3.5 * 2 ** 20;

/** What a publisher needs of its component. */
export interface PublishGround {
  readonly proxies: Proxies;
  readonly options: RocketmqOptions;
  readonly clientId: string;
  readonly clock: Clock;
  readonly routes: Routes;
  /** The topic's route; the topic is made if it may be. Rejects with a PubSubError. */
  topic(topic: string, signal: AbortSignal): Promise<Route>;
  /** Something was published there. */
  used(topic: string): void;
}

export class Publisher {
  readonly #ground: PublishGround;
  readonly #ids = new MessageIds();

  constructor(ground: PublishGround) {
    this.#ground = ground;
  }

  publish(batch: readonly Outgoing[], signal: AbortSignal): void {
    const { proxies, routes } = this.#ground;
    const failure = signal.aborted ? abortError(DOING, signal, "rejected") : proxies.up ? undefined : proxies.unavailable();
    if (failure) {
      for (const message of batch) message.done(failure);
      return;
    }
    const topics = new Map<string, Outgoing[]>();
    for (const message of batch) {
      const own = topics.get(message.topic);
      if (own) own.push(message);
      else topics.set(message.topic, [message]);
    }
    for (const [topic, messages] of topics) {
      const route = routes.known(topic);
      if (route) this.#toTopic(topic, route, messages, signal);
      else void this.#toUnknown(topic, messages, signal);
    }
  }

  async #toUnknown(topic: string, messages: readonly Outgoing[], signal: AbortSignal): Promise<void> {
    try {
      const route = await this.#ground.topic(topic, signal);
      if (route.types.size === 0) throw noType(topic);
      this.#toTopic(topic, route, messages, signal);
    } catch (error) {
      // Nothing was sent, whatever became of the question.
      const { code, message, permanent } = asPubSubError(error);
      for (const one of messages) one.done(new PubSubError(code, message, { permanent, cause: error }));
    }
  }

  #toTopic(topic: string, { types }: Route, messages: readonly Outgoing[], signal: AbortSignal): void {
    // Of one that is not there the proxy must not be told: it would take us for nobody.
    this.#ground.used(topic);
    const lanes = new Map<string, Outgoing[]>();
    for (const [index, message] of messages.entries()) {
      const type = typeOf(types, message);
      if (message.notBefore !== undefined && type !== MessageType.DELAY) {
        message.done(noDelay(message.topic));
        continue;
      }
      const key = keyOf(message);
      const alone = type !== MessageType.NORMAL;
      const name = alone && key !== undefined ? `key ${key}` : alone ? `message ${index}` : "";
      const lane = lanes.get(name);
      if (lane) lane.push(message);
      else lanes.set(name, [message]);
    }
    for (const lane of lanes.values()) void this.#run(lane, types, signal);
  }

  /** One request after the other, so that no message of a key can pass by one before it. */
  async #run(messages: readonly Outgoing[], types: ReadonlySet<MessageType>, signal: AbortSignal): Promise<void> {
    let failed: PubSubError | undefined;
    for (let at = 0; at < messages.length; ) {
      const end = requestEnd(messages, types, at);
      const request = messages.slice(at, end);
      if (failed) {
        const why = signal.aborted ? abortError(DOING, signal, "rejected") : behind(failed);
        for (const message of request) message.done(why);
      } else failed = await this.#send(request, types, signal);
      at = end;
    }
  }

  /** Sends one request; tells each message its result, and the first failure. */
  async #send(messages: readonly Outgoing[], types: ReadonlySet<MessageType>, signal: AbortSignal): Promise<PubSubError | undefined> {
    const { proxies, options, clock, routes, clientId } = this.#ground;
    const now = clock.now();
    const ids = messages.map(() => this.#ids.next(now));
    try {
      const request = create(SendMessageRequestSchema, {
        messages: messages.map((message, index) =>
          toMessage(message, typeOf(types, message), ids[index] as string, now, options.nameSpace),
        ),
      });
      const bytes = toBinary(SendMessageRequestSchema, request);
      const answer = fromBinary(
        SendMessageResponseSchema,
        await proxies.send(MessagingService.method.sendMessage, clientId, bytes, options.sendTimeoutMs, signal),
      );
      const { status, entries } = answer;
      const failure = status?.code === Code.MULTIPLE_RESULTS ? undefined : failureOf(DOING, status);
      if (failure) throw failure;
      let first: PubSubError | undefined;
      for (const [index, message] of messages.entries()) {
        // A request of several messages is stored as one, and answered as one.
        const error = failureOf(DOING, (entries[index] ?? entries[0])?.status);
        first ??= error;
        message.done(error, error ? undefined : ids[index]);
      }
      return first;
    } catch (error) {
      const failure = asPubSubError(error);
      if (isOtherType(failure)) routes.forget(messages[0]?.topic ?? "");
      // One of them is at fault, and the others must not suffer from it.
      if (failure instanceof ProxyError && failure.permanent && messages.length > 1) return this.#oneByOne(messages, types, signal);
      for (const message of messages) message.done(failure);
      return failure;
    }
  }

  async #oneByOne(messages: readonly Outgoing[], types: ReadonlySet<MessageType>, signal: AbortSignal): Promise<PubSubError | undefined> {
    const failedKeys = new Map<string, PubSubError>();
    for (const message of messages) {
      const before = message.key === undefined ? undefined : failedKeys.get(message.key);
      if (before) {
        message.done(behind(before));
        continue;
      }
      const failure = await this.#send([message], types, signal);
      if (failure && message.key !== undefined) failedKeys.set(message.key, failure);
    }
    return failedKeys.values().next().value;
  }
}

/** What a message is on a topic that takes these types. */
function typeOf(types: ReadonlySet<MessageType>, message: Outgoing): MessageType {
  const { notBefore } = message;
  if (types.has(MessageType.DELAY) && (notBefore !== undefined || types.size === 1)) return MessageType.DELAY;
  if (types.has(MessageType.FIFO) && (keyOf(message) !== undefined || !types.has(MessageType.NORMAL))) return MessageType.FIFO;
  return MessageType.NORMAL;
}

/**
 * Where the request that begins at `from` ends. The broker stores a request as one, in a queue of its own choice; only a message that is alone in its
 * request goes where its group is, or when its time has come.
 */
function requestEnd(messages: readonly Outgoing[], types: ReadonlySet<MessageType>, from: number): number {
  let size = 0;
  let at = from;
  for (; at < messages.length; at++) {
    const message = messages[at] as Outgoing;
    size += sizeOf(message);
    if (at > from && (size > REQUEST_BYTES || typeOf(types, message) !== MessageType.NORMAL)) break;
    if (typeOf(types, message) !== MessageType.NORMAL) return at + 1;
  }
  return at;
}

const noDelay = (topic: string): PubSubError =>
  new PubSubError(
    "failed_precondition",
    `the topic ${topic} takes no delayed messages: that needs one of type DELAY (mqadmin updateTopic -c CLUSTER -t TOPIC -a +message.type=DELAY)`,
    { permanent: true },
  );
