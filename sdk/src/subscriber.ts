import { create, toBinary } from "@bufbuild/protobuf";
import { ListTopicSubscriptionsResponseSchema } from "layotto-proto/appcallback";
import { decodeTopicEvent, encodeTopicEventStatus, TopicEventStatus } from "layotto-proto/topic-event";
import { formatAddress, listen, parseAddress, type Server, type ServerCall, Status } from "layotto-transport";

/** An event as its handler gets it. */
export interface ReceivedEvent {
  /** The same on every redelivery: what to remember when doing a thing twice would hurt. */
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly specVersion: string;
  readonly contentType: string;
  readonly pubsub: string;
  readonly topic: string;
  /** The bytes as they were published. */
  readonly data: Uint8Array;
  /** What the publisher sent beside them. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The data as text. */
  text(): string;
  /** The data parsed as JSON. Throws a SyntaxError when it is none. */
  json(): unknown;
}

/** `success`: done with, never comes again. `retry`: comes again later. `drop`: never comes again, and is counted as dropped. */
export type HandlerResult = "success" | "retry" | "drop";

/** Returning nothing is `success`; throwing, or a promise that rejects, is `retry`. */
export type Handler = (event: ReceivedEvent) => HandlerResult | undefined | Promise<HandlerResult | undefined> | void | Promise<void>;

export interface SubscriberOptions {
  /** Where the sidecar calls back: `127.0.0.1:9999`. Default: 127.0.0.1 and `appcallback_GRPC_PORT`, else 9999. */
  readonly address?: string;
  /** Gets what a handler threw, since the sidecar is only told to try again. Default: writes it to the standard error. */
  readonly onError?: (error: unknown, event: ReceivedEvent) => void;
  /**
   * What becomes of an event of a topic that has no handler. `fail` (default): it comes again, as a failure that is counted, and so may become a
   * dead letter. `wait`: it stays, uncounted, for who handles its topic.
   */
  readonly others?: "fail" | "wait";
}

export interface SubscribeOptions {
  /** For the sidecar and the broker, such as `rawPayload`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface Subscriber {
  /** One handler for each topic of a pubsub. Throws when there is one already, or when `listen` was called. */
  subscribe(pubsub: string, topic: string, handler: Handler, options?: SubscribeOptions): Subscriber;
  /** Ends that: what comes from now on has no handler (`others`). Running handlers finish. */
  unsubscribe(pubsub: string, topic: string): void;
  /** Starts to serve the sidecar. Rejects when the address is taken. Resolves to the address, in which port 0 has become a number. */
  listen(): Promise<string>;
  /** Lets the running handlers finish, until `signal` aborts; then stops. What was not finished comes again. */
  close(signal?: AbortSignal): Promise<void>;
}

/** Larger than what the sidecar lets through by default, so that no event is refused here. */
const MAX_MESSAGE_BYTES = 16 * 2 ** 20;
const RESULTS: Readonly<Record<HandlerResult, TopicEventStatus>> = {
  success: TopicEventStatus.SUCCESS,
  retry: TopicEventStatus.RETRY,
  drop: TopicEventStatus.DROP,
};

/** Serves Layotto's AppCallback. Throws a TypeError when the address cannot be read. */
export function createSubscriber(options: SubscriberOptions = {}): Subscriber {
  const text = options.address ?? `127.0.0.1:${process.env.appcallback_GRPC_PORT ?? "9999"}`;
  const address = parseAddress(text);
  if (!address) throw new TypeError(`The subscriber's address "${text}" is neither HOST:PORT nor unix:///PATH.`);
  const onError = options.onError ?? ((error, event) => console.error(`The handler of ${event.pubsub}/${event.topic} failed:`, error));
  const handlers = new Map<string, Subscribed>();
  const noHandler = options.others === "wait" ? Status.UNIMPLEMENTED : Status.NOT_FOUND;
  let server: Server | undefined;

  const subscriber: Subscriber = {
    subscribe(pubsub, topic, handler, { metadata = {} } = {}) {
      if (server) throw new Error(`Subscribe to ${pubsub}/${topic} before listen(): the sidecar may have asked already.`);
      const key = keyOf(pubsub, topic);
      if (handlers.has(key)) throw new Error(`${pubsub}/${topic} has a handler already.`);
      handlers.set(key, { pubsub, topic, metadata, handler });
      return subscriber;
    },
    unsubscribe(pubsub, topic) {
      handlers.delete(keyOf(pubsub, topic));
    },
    async listen() {
      server = await listen(address, {
        maxMessageBytes: MAX_MESSAGE_BYTES,
        handlers: {
          "/spec.proto.runtime.v1.AppCallback/ListTopicSubscriptions": (_, call) => call.respond(list(handlers.values())),
          "/spec.proto.runtime.v1.AppCallback/OnTopicEvent": (bytes, call) => void receive(bytes, call, handlers, noHandler, onError),
        },
      });
      return formatAddress(server.address);
    },
    async close(signal) {
      await server?.close(signal);
    },
  };
  return subscriber;
}

interface Subscribed {
  readonly pubsub: string;
  readonly topic: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly handler: Handler;
}

const keyOf = (pubsub: string, topic: string): string => JSON.stringify([pubsub, topic]);

function list(subscribed: Iterable<Subscribed>): Uint8Array {
  const subscriptions = [...subscribed].map(({ pubsub, topic, metadata }) => ({ pubsubName: pubsub, topic, metadata: { ...metadata } }));
  return toBinary(ListTopicSubscriptionsResponseSchema, create(ListTopicSubscriptionsResponseSchema, { subscriptions }));
}

async function receive(
  bytes: Uint8Array,
  call: ServerCall,
  handlers: ReadonlyMap<string, Subscribed>,
  noHandler: Status,
  onError: (error: unknown, event: ReceivedEvent) => unknown,
): Promise<void> {
  const event = decode(bytes);
  if (!event) return call.fail(Status.INVALID_ARGUMENT, "the request is not a TopicEventRequest");
  const subscribed = handlers.get(keyOf(event.pubsub, event.topic));
  // Not dropped: an older sidecar may still read what this version of the app no longer wants, and another replica may want it.
  if (!subscribed) return call.fail(noHandler, `there is no handler for ${event.pubsub}/${event.topic}`);
  const respond = (status: TopicEventStatus) => call.respond(encodeTopicEventStatus(status));
  try {
    respond(statusOf((await subscribed.handler(event)) ?? "success"));
  } catch (error) {
    respond(TopicEventStatus.RETRY);
    await tell(onError, error, event);
  }
}

/** Whoever is told must not end the app: the event would come again, and end it again. */
async function tell(onError: (error: unknown, event: ReceivedEvent) => unknown, error: unknown, event: ReceivedEvent): Promise<void> {
  try {
    await onError(error, event);
  } catch (thrown) {
    console.error("onError threw", thrown, "when it was told of", error);
  }
}

/** A handler in plain JavaScript may return anything; what nobody understands must not count as success. */
function statusOf(result: HandlerResult): TopicEventStatus {
  if (Object.hasOwn(RESULTS, result)) return RESULTS[result];
  throw new TypeError(`A handler returned ${JSON.stringify(result)}; expected nothing, success, retry or drop.`);
}

function decode(bytes: Uint8Array): ReceivedEvent | undefined {
  try {
    const { dataContentType, pubsubName, ...rest } = decodeTopicEvent(bytes);
    const text = () => new TextDecoder().decode(rest.data);
    return { ...rest, contentType: dataContentType, pubsub: pubsubName, text, json: () => JSON.parse(text()) as unknown };
  } catch {
    return undefined; // answered as an error, which the sidecar shows
  }
}
