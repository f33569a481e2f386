import { createHash } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import { type Beside, fitsGroup, fromProperties, namedBy, SHARDING_KEY, toProperties } from "./attributes.ts";
import { uncompressed } from "./compressed.ts";
import { Encoding, type Message, type MessageSchema, MessageType } from "./gen/apache/rocketmq/v2/definition_pb.ts";

const NO_BYTES = new Uint8Array(0);
/** Stands for no bytes. */
const ONE_BYTE = new Uint8Array(1);
/** An attribute of what is still compressed. */
const BODY_ENCODING = "rocketmq-body-encoding";
/** Bytes beside data and attributes: ids, times, the producer's name. */
const BESIDE = 400;

/** A message of one of the types that its topic takes, with an id of its own. */
export function toMessage(
  outgoing: Outgoing,
  type: MessageType,
  id: string,
  now: number,
  space: string,
): MessageInitShape<typeof MessageSchema> {
  const { topic, data, attributes } = outgoing;
  const key = keyOf(outgoing);
  const empty = data.length === 0;
  const group = type === MessageType.FIFO ? groupOf(key ?? id) : undefined;
  const named = namedBy(attributes);
  return {
    topic: { resourceNamespace: space, name: topic },
    userProperties: toProperties(key === undefined ? { attributes } : { attributes, key }, group, empty, named),
    systemProperties: {
      messageId: id,
      bodyEncoding: Encoding.IDENTITY,
      messageType: type,
      bornTimestamp: timestamp(now),
      keys: [...named.keys],
      ...(named.tag !== undefined && { tag: named.tag }),
      ...(group !== undefined && { messageGroup: group }),
      ...(type === MessageType.DELAY && { deliveryTimestamp: timestamp(outgoing.notBefore ?? now) }),
    },
    body: empty ? ONE_BYTE : data,
  };
}

/** Layotto in Go has a word of its own for it. */
export const keyOf = ({ key, attributes }: Pick<Outgoing, "key" | "attributes">): string | undefined => key ?? attributes[SHARDING_KEY];

/** What keeps messages of one key together and in order. */
const groupOf = (key: string): string => (fitsGroup(key) ? key : createHash("sha1").update(key).digest("hex"));

/** About how many bytes of a request it takes. */
export function sizeOf({ data, attributes }: Pick<Outgoing, "data" | "attributes">): number {
  let size = data.length + BESIDE;
  for (const name in attributes) size += 2 * (name.length + (attributes[name] as string).length) + 8;
  return size;
}

/** A message as it came. */
export interface Received extends Beside {
  readonly position: string;
  /**
   * By what it is known when it comes again: the position and the body's checksum. RocketMQ's older client gives two messages one id when a
   * program sends the same object twice, with another body.
   */
  readonly identity: string;
  readonly data: Uint8Array;
  readonly publishedAt: number | undefined;
  readonly deliveries: number;
  readonly handle: string;
  /** The number of its queue on the broker. */
  readonly queue: number;
  readonly size: number;
}

export function fromMessage({ userProperties, systemProperties, body }: Message): Received {
  const tag = systemProperties?.tag;
  const named = { keys: systemProperties?.keys ?? [], ...(tag !== undefined && { tag }) };
  // What cannot be opened is its reader's to open.
  const opened = systemProperties?.bodyEncoding === Encoding.GZIP ? uncompressed(body) : body;
  const { attributes, key, empty } = fromProperties(userProperties, systemProperties?.messageGroup, named);
  const position = systemProperties?.messageId ?? "";
  const deliveries = systemProperties?.deliveryAttempt ?? 1;
  // What was handed out before stands in the broker's retry topic, since then.
  const at = deliveries > 1 ? systemProperties?.bornTimestamp : systemProperties?.storeTimestamp;
  return {
    position,
    identity: `${position} ${systemProperties?.bodyDigest?.checksum ?? ""}`,
    data: empty ? NO_BYTES : (opened ?? body),
    attributes: opened ? attributes : { ...attributes, [BODY_ENCODING]: "gzip" },
    ...(key !== undefined && { key }),
    publishedAt: at && Number(at.seconds) * 1_000 + Math.floor(at.nanos / 1e6),
    deliveries,
    handle: systemProperties?.receiptHandle ?? "",
    queue: systemProperties?.queueId ?? 0,
    size: sizeOf({ data: opened ?? body, attributes }),
  };
}

function timestamp(ms: number): Timestamp {
  return create(TimestampSchema, { seconds: BigInt(Math.floor(ms / 1_000)), nanos: Math.floor(ms % 1_000) * 1e6 });
}
