import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { KafkaOptions } from "./config.ts";
import type { StoredRecord } from "./wire/record-batch.ts";

/** How headers are turned into attributes, where that is not as they are. */
export function headersOf({ escapeHeaders, exclude }: KafkaOptions): ((record: StoredRecord) => StoredRecord) | undefined {
  if (!escapeHeaders && !(exclude instanceof RegExp)) return undefined;
  const read = escapeHeaders ? unescaped : (text: string) => text;
  return (record) => {
    const kept = Object.entries(record.attributes).filter(([name]) => !(exclude instanceof RegExp && exclude.test(name)));
    return { ...record, attributes: Object.fromEntries(kept.map(([name, value]) => [read(name), read(value)])) };
  };
}

/** A message whose headers are written as in a URL. */
export function escaped(message: Outgoing): Outgoing {
  const attributes = Object.entries(message.attributes).map(([name, value]) => [encodeURIComponent(name), encodeURIComponent(value)]);
  return {
    topic: message.topic,
    data: message.data,
    attributes: Object.fromEntries(attributes),
    ...(message.key !== undefined && { key: message.key }),
    done: (error, position) => message.done(error, position),
  };
}

/** What another program did not escape is left as it is. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}
