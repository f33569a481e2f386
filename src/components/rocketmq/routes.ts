import type { Clock } from "../../pubsub/clock.ts";
import { asPubSubError } from "../../pubsub/error.ts";
import type { RocketmqOptions } from "./config.ts";
import { failureOf, isNoTopic } from "./errors.ts";
import { AddressScheme, MessageType, Permission } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import { MessagingService, type QueryRouteResponse } from "./gen/apache/rocketmq/v2/service_pb.ts";
import type { Proxies } from "./proxies.ts";

/** As long as RocketMQ's own clients believe a route. */
const FRESH_MS = 30_000;
const DOING = "QueryRoute";

/** What a proxy says of a topic. */
export interface Route {
  /** What the topic takes. */
  readonly types: ReadonlySet<MessageType>;
  /** Names of the brokers that have queues to read from. */
  readonly brokers: readonly string[];
  readonly since: number;
}

/** What is known of topics. */
export class Routes {
  readonly #proxies: Proxies;
  readonly #options: RocketmqOptions;
  readonly #clientId: string;
  readonly #clock: Clock;
  readonly #known = new Map<string, Route>();
  readonly #asking = new Map<string, Promise<Route>>();

  constructor(proxies: Proxies, options: RocketmqOptions, clientId: string, clock: Clock) {
    this.#proxies = proxies;
    this.#options = options;
    this.#clientId = clientId;
    this.#clock = clock;
  }

  /** Old news are used, and made new. */
  known(topic: string): Route | undefined {
    const route = this.#known.get(topic);
    if (route && this.#clock.elapsed() - route.since > FRESH_MS) {
      this.find(topic).catch((error: unknown) => {
        // A proxy that cannot tell does not make them wrong.
        if (isNoTopic(asPubSubError(error))) this.forget(topic);
      });
    }
    return route;
  }

  forget(topic: string): void {
    this.#known.delete(topic);
  }

  /** Asks the proxy. Rejects with a PubSubError; see `isNoTopic`. */
  find(topic: string): Promise<Route> {
    const asking = this.#asking.get(topic) ?? this.#ask(topic).finally(() => this.#asking.delete(topic));
    this.#asking.set(topic, asking);
    return asking;
  }

  async #ask(topic: string): Promise<Route> {
    const { host, port } = this.#proxies.address;
    const scheme = /^[\d.]+$/.test(host) ? AddressScheme.IPv4 : host.includes(":") ? AddressScheme.IPv6 : AddressScheme.DOMAIN_NAME;
    const answer = await this.#proxies.call(MessagingService.method.queryRoute, this.#clientId, {
      topic: { resourceNamespace: this.#options.nameSpace, name: topic },
      endpoints: { scheme, addresses: [{ host, port }] },
    });
    const failure = failureOf(`${DOING} ${topic}`, answer.status);
    if (failure) throw failure;
    const route = { ...readRoute(answer), since: this.#clock.elapsed() };
    this.#known.set(topic, route);
    return route;
  }
}

function readRoute({ messageQueues }: QueryRouteResponse): Omit<Route, "since"> {
  const types = new Set<MessageType>();
  const brokers = new Set<string>();
  for (const { acceptMessageTypes, broker, permission } of messageQueues) {
    for (const type of acceptMessageTypes) types.add(type);
    if (broker?.id === 0 && (permission === Permission.READ || permission === Permission.READ_WRITE)) brokers.add(broker.name);
  }
  // A topic that was made before there were types.
  if (types.delete(MessageType.MESSAGE_TYPE_UNSPECIFIED) && types.size === 0) types.add(MessageType.NORMAL);
  return { types, brokers: [...brokers] };
}
