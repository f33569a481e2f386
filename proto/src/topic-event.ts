import { WireError } from "./wire-error.ts";
import { NO_BYTES, WireReader } from "./wire-reader.ts";
import { WireWriter } from "./wire-writer.ts";

export { WireError };

/** `spec.proto.runtime.v1.TopicEventRequest`. */
export interface TopicEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly specVersion: string;
  readonly dataContentType: string;
  readonly topic: string;
  readonly data: Uint8Array;
  readonly pubsubName: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The values of `spec.proto.runtime.v1.TopicEventResponse.TopicEventResponseStatus`. Another may be received: the enum is open. */
export const TopicEventStatus = { SUCCESS: 0, RETRY: 1, DROP: 2 } as const;
export type TopicEventStatus = (typeof TopicEventStatus)[keyof typeof TopicEventStatus];

const NO_STATUS: Uint8Array = Buffer.alloc(0);

/** `data` is a view on `bytes`. Throws a WireError when the bytes are no TopicEventRequest. */
export function decodeTopicEvent(bytes: Uint8Array): TopicEvent {
  const reader = new WireReader(bytes);
  const metadata: Record<string, string> = {};
  let id = "";
  let source = "";
  let type = "";
  let specVersion = "";
  let dataContentType = "";
  let topic = "";
  let data = NO_BYTES;
  let pubsubName = "";
  while (reader.more) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1:
        id = reader.text();
        break;
      case 2:
        source = reader.name();
        break;
      case 3:
        type = reader.name();
        break;
      case 4:
        specVersion = reader.name();
        break;
      case 5:
        dataContentType = reader.name();
        break;
      case 6:
        topic = reader.name();
        break;
      case 7:
        data = reader.bytes();
        break;
      case 8:
        pubsubName = reader.name();
        break;
      case 10:
        reader.entry(metadata);
        break;
      default:
        reader.skip(tag);
    }
  }
  return { id, source, type, specVersion, dataContentType, topic, data, pubsubName, metadata };
}

/** The message, after `headroom` bytes that are the caller's to fill. The memory is not used again, but may be shared with other messages. */
export function encodeTopicEvent(event: TopicEvent, headroom = 0): Uint8Array {
  const writer = new WireWriter(headroom);
  writer.text(0x0a, event.id);
  writer.encoded(context(event));
  writer.bytes(0x3a, event.data);
  writer.text(0x42, event.pubsubName);
  writer.entries(0x52, event.metadata);
  return writer.finish();
}

type Context = Pick<TopicEvent, "source" | "type" | "specVersion" | "dataContentType" | "topic">;

/** What the last event came from. The next one most likely comes from there, too. */
let last: Context & { readonly encoded: Uint8Array } = {
  source: "",
  type: "",
  specVersion: "",
  dataContentType: "",
  topic: "",
  encoded: NO_BYTES,
};

/** Fields 2 to 6. */
function context(event: Context): Uint8Array {
  const { source, type, specVersion, dataContentType, topic } = event;
  if (
    topic !== last.topic ||
    dataContentType !== last.dataContentType ||
    source !== last.source ||
    type !== last.type ||
    specVersion !== last.specVersion
  ) {
    const writer = new WireWriter(0);
    writer.text(0x12, source);
    writer.text(0x1a, type);
    writer.text(0x22, specVersion);
    writer.text(0x2a, dataContentType);
    writer.text(0x32, topic);
    last = { source, type, specVersion, dataContentType, topic, encoded: Uint8Array.from(writer.finish()) };
  }
  return last.encoded;
}

/** The status in a `TopicEventResponse`. Throws a WireError when the bytes are none. */
export function decodeTopicEventStatus(bytes: Uint8Array): number {
  // The most frequent answer, success, has no bytes.
  if (bytes.length === 0) return TopicEventStatus.SUCCESS;
  const reader = new WireReader(bytes);
  let status = 0;
  while (reader.more) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) status = reader.uint32() | 0;
    else reader.skip(tag);
  }
  return status;
}

/** A `TopicEventResponse`. */
export function encodeTopicEventStatus(status: TopicEventStatus): Uint8Array {
  return status === TopicEventStatus.SUCCESS ? NO_STATUS : Uint8Array.of(0x08, status);
}
