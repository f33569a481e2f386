import { PubSubError } from "../../pubsub/error.ts";
import type { HostPort } from "./config.ts";
import { Answer, type Remoting, Request, readJson, unlessMissing, withRemoting } from "./remoting.ts";
import type { Credentials } from "./signature.ts";

/** Those who know which brokers there are, and which topics these have. All are asked at once: one that is silent would use up the time of the others. */
export class NameServers {
  readonly #places: readonly HostPort[];
  readonly #credentials: Credentials | undefined;
  readonly #othersMs: number;

  /** `othersMs`: how much longer than the first the others may take. */
  constructor(places: readonly HostPort[], credentials: Credentials | undefined, othersMs: number) {
    this.#othersMs = othersMs;
    this.#places = places;
    this.#credentials = credentials;
  }

  /** Brokers that take messages, of all who answer, and not much later than the first: one that has just begun knows less than the others. */
  async brokers(signal: AbortSignal): Promise<readonly HostPort[]> {
    const enough = new AbortController();
    // By name: one that lies cut off may know an older address.
    const found = new Map<string, HostPort>();
    const asked = this.#ask(AbortSignal.any([signal, enough.signal]), async (server) => {
      for (const [name, place] of masters((await server.request(Request.brokerCluster, {})).body))
        if (!found.has(name)) found.set(name, place);
    });
    const told = Promise.allSettled(asked);
    try {
      await Promise.any(asked);
    } catch (error) {
      const { errors } = error as AggregateError;
      throw errors.find((one) => !(one instanceof PubSubError)) ?? errors.at(-1);
    }
    const late = setTimeout(() => enough.abort(), this.#othersMs);
    await told;
    clearTimeout(late);
    return [...found.values()];
  }

  /**
   * Whether a broker has the topic, be it one that says nothing at the moment, or only its slave. All may answer, as above. Rejects when none can tell.
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

/** By the broker's name. */
function masters(body: string): ReadonlyMap<string, HostPort> {
  const { brokerAddrTable = {} } = readJson(body) as ClusterInfo;
  const places = new Map<string, HostPort>();
  for (const [name, { brokerAddrs }] of Object.entries(brokerAddrTable)) {
    const address = brokerAddrs["0"];
    const at = address?.lastIndexOf(":");
    if (address !== undefined && at !== undefined) places.set(name, { host: address.slice(0, at), port: Number(address.slice(at + 1)) });
  }
  if (places.size === 0) throw new PubSubError("unavailable", "the name server knows no broker that takes messages");
  return places;
}
