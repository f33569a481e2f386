import { NO_BYTES, WireReader } from "./wire-reader.ts";
import { WireWriter } from "./wire-writer.ts";

export { WireError } from "./wire-error.ts";

/** `spec.proto.runtime.v1.PublishEventRequest`. */
export interface PublishEvent {
  readonly pubsubName: string;
  readonly topic: string;
  readonly data: Uint8Array;
  readonly dataContentType: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** `data` is a view on `bytes`. Throws a WireError when the bytes are no PublishEventRequest. */
export function decodePublishEvent(bytes: Uint8Array): PublishEvent {
  const reader = new WireReader(bytes);
  const metadata: Record<string, string> = {};
  let pubsubName = "";
  let topic = "";
  let data = NO_BYTES;
  let dataContentType = "";
  while (reader.more) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1:
        pubsubName = reader.name();
        break;
      case 2:
        topic = reader.name();
        break;
      case 3:
        data = reader.bytes();
        break;
      case 4:
        dataContentType = reader.name();
        break;
      case 5:
        reader.entry(metadata);
        break;
      default:
        reader.skip(tag);
    }
  }
  return { pubsubName, topic, data, dataContentType, metadata };
}

/** The message, after `headroom` bytes that are the caller's to fill. The memory is not used again, but may be shared with other messages. */
export function encodePublishEvent(event: PublishEvent, headroom = 0): Uint8Array {
  const writer = new WireWriter(headroom);
  writer.text(0x0a, event.pubsubName);
  writer.text(0x12, event.topic);
  writer.bytes(0x1a, event.data);
  writer.text(0x22, event.dataContentType);
  writer.entries(0x2a, event.metadata);
  return writer.finish();
}
