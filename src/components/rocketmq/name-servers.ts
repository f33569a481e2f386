import { PubSubError } from "../../pubsub/error.ts";
import type { HostPort } from "./config.ts";
import { Answer, type Remoting, Request, readJson, unlessMissing, withRemoting } from "./remoting.ts";
import type { Credentials } from "./signature.ts";

/** Those who know which brokers there are, and which topics these have. All are asked at once: one that is silent would use up the time of the others. */
export class NameServers {
  readonly #places: readonly HostPort[];
  readonly #credentials: Credentials | undefined;

  constructor(places: readonly HostPort[], credentials: Credentials | undefined) {
    this.#places = places;
    this.#credentials = credentials;
  }

  /** Brokers that take messages, from the first that answers. */
  async brokers(signal: AbortSignal): Promise<readonly HostPort[]> {
    const known = new AbortController();
    const enough = AbortSignal.any([signal, known.signal]);
    try {
      return await Promise.any(this.#ask(enough, async (server) => masters((await server.request(Request.brokerCluster, {})).body)));
    } catch (error) {
      const { errors } = error as AggregateError;
      throw errors.find((one) => !(one instanceof PubSubError)) ?? errors.at(-1);
    } finally {
      known.abort();
    }
  }

  /**
   * Whether a broker has the topic, be it one that says nothing at the moment, or only its slave. All may answer: one that has just begun knows less
   * than the others. Rejects when none can tell.
   */
  async lead(topic: string, signal: AbortSignal): Promise<boolean> {
    const asked = await Promise.allSettled(
      this.#ask(signal, (server) => unlessMissing(server.request(Request.topicRoute, { topic }), Answer.topicNotExist)),
    );
    const told = asked.filter((one) => one.status === "fulfilled");
    if (told.length === 0) throw asked.find((one) => one.status === "rejected")?.reason;
    return told.some(({ value }) => value !== undefined);
  }

  #ask<T>(signal: AbortSignal, work: (server: Remoting) => Promise<T>): Promise<T>[] {
    return this.#places.map((place) => withRemoting(place, this.#credentials, signal, work));
  }
}

interface ClusterInfo {
  readonly brokerAddrTable?: Readonly<Record<string, { readonly brokerAddrs: Readonly<Record<string, string>> }>>;
}

function masters(body: string): readonly HostPort[] {
  const { brokerAddrTable = {} } = readJson(body) as ClusterInfo;
  const addresses = Object.values(brokerAddrTable).flatMap(({ brokerAddrs }) => brokerAddrs["0"] ?? []);
  if (addresses.length === 0) throw new PubSubError("unavailable", "the name server knows no broker that takes messages");
  return addresses.map((address) => {
    const at = address.lastIndexOf(":");
    return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
  });
}
