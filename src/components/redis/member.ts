import type { Clock } from "../../pubsub/clock.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import type { RedisOptions } from "./config.ts";
import type { Node } from "./node.ts";

/** Consumers of ours are named so: they give sign of life, and hold a message only as long as they do. */
export const CONSUMER_PREFIX = "layotto:";
/** How the names of those end, before a number, that read in order. */
export const LEADER = ":lead";

/** One consumer in a group of a stream, and what its parts share. */
export interface Member {
  readonly topic: string;
  readonly group: string;
  /** Its own in the whole group: what is pending with it was read by it. */
  readonly consumer: string;
  /** The key where the consumer must stand for whatever it does to be done. Undefined: the group is read without order, by many. */
  readonly lead: string | undefined;
  readonly options: RedisOptions;
  readonly clock: Clock;
  /** The stream's server. Undefined while it is not known. */
  readonly node: Node | undefined;
  /** An operation failed. Decides whether the group must be made again, the server looked for, or the reader given up. */
  failed(error: PubSubError): void;
}

/** The keys of a script that the lead fences. */
export const keysOf = ({ topic, lead }: Member): readonly string[] => (lead === undefined ? [topic] : [topic, lead]);
