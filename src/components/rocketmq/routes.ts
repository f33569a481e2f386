import type { Clock } from "../../pubsub/clock.ts";
import { asPubSubError, PubSubError } from "../../pubsub/error.ts";
import type { HostPort, RocketmqOptions } from "./config.ts";
import { failureOf, isNoTopic } from "./errors.ts";
import { AddressScheme, MessageType, Permission } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import { MessagingService, type QueryRouteResponse } from "./gen/apache/rocketmq/v2/service_pb.ts";
import type { Proxies } from "./proxies.ts";

/** As long as RocketMQ's own clients believe a route. */
const FRESH_MS = 30_000;
const DOING = "QueryRoute";

/** What a proxy says of a topic. */
export interface Route {
  /** What the topic takes. Empty: the proxy cannot tell, at the moment or at all. */
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
  readonly #had = new Set<string>();
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

  /** There was a route once: the topic exists, also while nobody leads to it. */
  had(topic: string): boolean {
    return this.#had.has(topic);
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
    const { proxies, nameSpace } = this.#options;
    const { place } = this.#proxies;
    const answer = await this.#proxies.call(MessagingService.method.queryRoute, this.#clientId, {
      topic: { resourceNamespace: nameSpace, name: topic },
      endpoints: { scheme: schemeOf(proxies), addresses: proxies.map(({ host, port }) => ({ host, port })) },
    });
    const failure = failureOf(`${DOING} ${topic}`, answer.status);
    if (failure) throw failure;
    this.#proxies.shown(place, leadsToAll(answer, proxies.length));
    const route = { ...readRoute(answer), since: this.#clock.elapsed() };
    if (route.types.size > 0) this.#known.set(topic, route);
    this.#had.add(topic);
    return route;
  }
}

function schemeOf(places: readonly HostPort[]): AddressScheme {
  if (places.every(({ host }) => /^[\d.]+$/.test(host))) return AddressScheme.IPv4;
  return places.every(({ host }) => host.includes(":")) ? AddressScheme.IPv6 : AddressScheme.DOMAIN_NAME;
}

/** A proxy that leads to all brokers says of each that it stands behind all proxies that it was told of; one that is a broker's own names the brokers' own. */
const leadsToAll = ({ messageQueues }: QueryRouteResponse, proxies: number): boolean =>
  messageQueues.length > 0 && messageQueues.every(({ broker }) => broker?.endpoints?.addresses.length === proxies);

/** To those who must know it. */
export const noType = (topic: string): PubSubError =>
  new PubSubError("unavailable", `${DOING} ${topic}: the proxy does not tell the topic's type; it may not reach the brokers that have it`);

function readRoute({ messageQueues }: QueryRouteResponse): Omit<Route, "since"> {
  const types = new Set<MessageType>();
  const brokers = new Set<string>();
  for (const { acceptMessageTypes, broker, permission } of messageQueues) {
    for (const type of acceptMessageTypes) types.add(type);
    if (broker?.id === 0 && (permission === Permission.READ || permission === Permission.READ_WRITE)) brokers.add(broker.name);
  }
  types.delete(MessageType.MESSAGE_TYPE_UNSPECIFIED);
  return { types, brokers: [...brokers] };
}
